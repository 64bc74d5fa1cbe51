"""The recipes' suite: the one that the machine has, whichever of the four systems it runs."""

import importlib.util
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).resolve().parents[2] / "kernels" / "images"
DEBIAN = """\
Types: deb
# http://packages.example.org/archive/debian/20250520T000000Z
URIs: http://packages.example.org/debian
Suites: {0} {0}-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: http://packages.example.org/debian-security
Suites: {0}-security
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
NOBLE = """\
Types: deb
URIs: http://packages.example.org/ubuntu/
Suites: noble noble-updates noble-backports
Components: main universe restricted multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg
"""
JAMMY = """\
# deb cdrom:[Ubuntu 22.04]/ jammy main
deb http://packages.example.org/ubuntu/ jammy main restricted
deb http://packages.example.org/ubuntu/ jammy universe  # the rest
deb [arch=amd64] http://packages.example.org/ubuntu/ jammy-security main restricted
deb-src http://packages.example.org/ubuntu/ jammy main
"""
SYSTEMS = {
    "bookworm": ("debian.sources", DEBIAN.format("bookworm"), "python3.11-minimal"),
    "trixie": ("debian.sources", DEBIAN.format("trixie"), "python3.13-minimal"),
    "noble": ("ubuntu.sources", NOBLE, "python3.12-minimal"),
    "jammy": ("ubuntu.list", JAMMY, "python3.10-minimal"),
}


@pytest.fixture
def builder(monkeypatch):
    """build.py and its parts, as modules that no other test sees."""
    monkeypatch.syspath_prepend(str(RECIPES))
    spec = importlib.util.spec_from_file_location("image_builder", RECIPES / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in ("suites", "tree", "layout"):
        sys.modules.pop(name)


@pytest.fixture
def system(builder, tmp_path, monkeypatch):
    """Make this machine another one: the function takes a suite's name, and sources by their file's name."""

    def change(codename, **files):
        monkeypatch.delenv("HPCCTR_APT_SOURCES", raising=False)
        monkeypatch.setattr(builder.suites, "APT", tmp_path)
        monkeypatch.setattr(builder.suites, "OS_RELEASE", tmp_path / "os-release")
        (tmp_path / "os-release").write_text(f'NAME="Some"\nVERSION_CODENAME={codename}\n')
        (tmp_path / "sources.list.d").mkdir()
        for name, text in files.items():
            (tmp_path / "sources.list.d" / name).write_text(text)

    return change


@pytest.mark.parametrize("suite", SYSTEMS)
@pytest.mark.parametrize("name", ["python", "python-plot", "python-mpi", "python-mpich"])
def test_each_recipe_builds_from_the_suite_that_the_machine_has(builder, system, suite, name):
    file, text, python = SYSTEMS[suite]
    system(suite, **{file: text})
    recipe = builder.load(name)
    assert recipe["suite"] == suite
    assert python in recipe["all_packages"]
    assert python == f"python{recipe['wheels']['python']}-minimal"
    assert "{python}" not in str(recipe) and "{os}" not in str(recipe)


@pytest.mark.parametrize("suite", SYSTEMS)
def test_lock_has_wheels_for_the_python_of_each_suite(builder, system, suite):
    file, text, _ = SYSTEMS[suite]
    system(suite, **{file: text})
    for name in ("python", "python-plot", "python-mpi", "python-mpich"):
        blocks = [b for b in builder.load(name)["lock"].split("\n") if b and not b.startswith("#")]
        pins = [line for line in blocks if not line.startswith(" ")]
        assert all(line.endswith(" \\") for line in pins)
        assert len(blocks) >= 2 * len(pins)


def test_sources_are_those_of_the_suite_with_what_mpi_needs(builder, system):
    system("jammy", **{"a.list": JAMMY, "b.sources": NOBLE})
    assert builder.suites.lines("jammy") == (
        "deb http://packages.example.org/ubuntu/ jammy main\n"
        "deb http://packages.example.org/ubuntu/ jammy universe\n"
        "deb [arch=amd64] http://packages.example.org/ubuntu/ jammy-security main\n"
    )
    key = "[signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg]"
    assert builder.suites.lines("noble") == (
        f"deb {key} http://packages.example.org/ubuntu/ noble main universe\n"
        f"deb {key} http://packages.example.org/ubuntu/ noble-updates main universe\n"
    )


def test_named_sources_win_over_the_machines_own(builder, system, tmp_path, monkeypatch):
    system("trixie", **{"debian.sources": DEBIAN.format("trixie")})
    named = tmp_path / "bookworm.list"
    named.write_text("deb http://packages.example.org/debian bookworm main\n")
    monkeypatch.setenv("HPCCTR_APT_SOURCES", str(named))
    assert builder.load("python-mpi")["suite"] == "bookworm"
    assert builder.suites.lines("bookworm") == named.read_text()


def test_a_machine_with_several_suites_takes_its_own(builder, system):
    system("trixie", **{f"{s}.sources": DEBIAN.format(s) for s in ("bookworm", "trixie")})
    assert builder.load("python")["suite"] == "trixie"


def test_a_machine_with_none_of_them_is_told_what_to_do(builder, system):
    system("forky", **{"debian.sources": DEBIAN.format("forky")})
    with pytest.raises(SystemExit, match=r"bookworm or trixie or noble or jammy here\. .*HPCCTR_APT_SOURCES"):
        builder.load("python")


def test_a_recipe_may_name_its_suite(builder, system, tmp_path):
    system("bookworm", **{f"{s}.sources": DEBIAN.format(s) for s in ("bookworm", "trixie")})
    (tmp_path / "recipe.toml").write_text(
        'name = "mine"\nbase = "python"\n[debian]\nsuite = "trixie"\npackages = []\n[wheels]\npython = "{python}"\n'
    )
    (tmp_path / "requirements.lock").write_text("")
    recipe = builder.load(str(tmp_path))
    assert (recipe["suite"], recipe["below"]["suite"], recipe["wheels"]["python"]) == ("trixie", "trixie", "3.13")


def test_wheels_that_were_kept_for_one_python_are_not_taken_for_another(builder, tmp_path, monkeypatch):
    def fetch(*words):
        version = next(word.partition("=")[2] for word in words if word.startswith("--python-version="))
        words[-1].mkdir()
        (words[-1] / f"numpy-cp{version}.whl").touch()

    monkeypatch.setattr(builder.tree, "run", fetch)
    recipes = [{"name": "python", "lock": "numpy", "wheels": {"python": version}} for version in ("3.11", "3.13")]
    found = [[wheel.name for wheel in builder.tree.wheels(each, tmp_path)] for each in recipes]
    assert found == [["numpy-cp3.11.whl"], ["numpy-cp3.13.whl"]]
