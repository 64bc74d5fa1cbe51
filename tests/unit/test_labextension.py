"""What Python and npm must agree on, and the house's rules for TypeScript."""

import json
from pathlib import Path

import pytest

import jupyter_hpcctr

ROOT = Path(__file__).resolve().parents[2]
LABEXTENSION = ROOT / "labextension"
SOURCES = sorted(p for suffix in ("ts", "tsx", "css") for p in LABEXTENSION.glob(f"s*/**/*.{suffix}"))


def test_the_versions_are_one():
    package = json.loads((LABEXTENSION / "package.json").read_text(encoding="utf-8"))
    assert package["version"] == jupyter_hpcctr.__version__


def test_the_lock_names_no_registry():
    text = (LABEXTENSION / "yarn.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert "archiveUrl" not in text


def test_the_server_extension_is_enabled_where_it_is_installed():
    (etc,) = (ROOT / "jupyter_hpcctr" / "etc").iterdir()
    enabled = json.loads(etc.read_text(encoding="utf-8"))["ServerApp"]
    assert enabled == {"jpserver_extensions": {"jupyter_hpcctr": True}}


@pytest.mark.parametrize("path", [each for each in SOURCES if each.name != "openapi.ts"], ids=lambda p: p.name)
def test_sources_that_people_write_are_short(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 300
    assert max(map(len, lines)) <= 120
