"""A package of somebody else, made of what the documentation says: its files are the code blocks of the pages."""

import re
import subprocess
import sys

import pytest

from .images import CHECKOUT, ENVIRONMENT

PAGES = ("engines", "schedulers", "stores")
BLOCK = re.compile(r"```(?:python|toml)\n# (\S+)\n(.*?)```", re.DOTALL)


def blocks():
    """The files that the pages tell to write: those of one name are one file."""
    found = {}
    for page in PAGES:
        for name, text in BLOCK.findall((CHECKOUT / "docs" / f"{page}.md").read_text(encoding="utf-8")):
            found[name] = found.get(name, "") + text
    return found


class Outside:
    """That package, installed into a directory of its own; its tests are in another one."""

    def __init__(self, place):
        source, self.installed, self.tests = place / "source", place / "installed", place / "tests"
        files = blocks()
        self.configuration = files.pop("jupyter_hpcctr_config.py")
        for name, text in files.items():
            path = (self.tests if name.startswith("test_") else source) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        words = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
        self._python(*words, "--target", str(self.installed), str(source))

    def test(self, *modules, **env):
        """Run test modules of its own, and return pytest's last line."""
        words = ("-q", "-p", "no:cacheprovider", "--timeout=180", f"--basetemp={self.tests.parent}/tmp")
        out = self._python("-m", "pytest", *words, *modules, **env)
        return out.splitlines()[-1]

    def _python(self, *words, **env):
        own = {name: value for name, value in ENVIRONMENT.items() if not name.startswith(("PYTEST_", "COV_"))}
        own |= {"PYTHONPATH": str(self.installed), "PYTHONDONTWRITEBYTECODE": "1", **env}
        done = subprocess.run(
            (sys.executable, *words), env=own, cwd=self.tests, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """The package, installed."""
    return Outside(tmp_path_factory.mktemp("outside"))
