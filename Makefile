# make demo | test | lint | bench | clean      On Debian or Ubuntu, as root or as an ordinary user.
# As root only the packages are installed; everything else runs as the ordinary user "hpcctr" (.ci/as-user).
# ARGS are handed on: make test ARGS="tests/unit -k plan"

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
.DELETE_ON_ERROR:
.PHONY: demo test lint bench setup clean packages images

PYTHON ?= /usr/bin/python3
ARGS ?=
export PYTHON ARGS
BIN := $(CURDIR)/.venv/bin
STAMP := .venv/installed-$(shell cat pyproject.toml Makefile | cksum | cut -d' ' -f1)
BENCH_STAMP := $(STAMP)-bench

ifeq ($(shell id -u),0)

demo test lint bench setup images: packages
	.ci/as-user make --no-print-directory $@

clean:
	rm -rf .venv build dist .coverage .coverage.* htmlcov .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	if id hpcctr >/dev/null 2>&1; then rm -rf ~hpcctr/checkout; fi

else

export PATH := $(BIN):$(PATH):/usr/sbin:/sbin

demo: setup
	python kernels/demo/demo.py $(ARGS)

test: setup images
	rm -f .coverage .coverage.*
	status=0; coverage run -m pytest $(ARGS) | tee build/pytest.log || status=$$?; \
	coverage combine -q && coverage report; \
	tail -n 1 build/pytest.log; exit $$status

# Before the tests, whose time limits they would otherwise use up; nothing when they are there.
images: setup
	mkdir -p build
	python kernels/images/build.py python python-mpi python-mpich --output $${HPCCTR_TEST_CACHE:-build/images}

lint: setup
	ruff check .
	mypy
	lint-imports

bench: setup $(BENCH_STAMP)
	python tests/bench/run.py $(ARGS)

setup: packages $(STAMP)

$(STAMP):
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --editable '.[lab,test,lint]'
	rm -f .venv/installed-*
	touch $@

# What the product is compared with is installed for that alone.
$(BENCH_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	touch $@

clean:
	rm -rf .venv build dist .coverage .coverage.* htmlcov .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

endif

packages:
	@.ci/install-packages
