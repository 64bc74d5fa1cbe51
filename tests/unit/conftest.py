"""The magic in a real IPython shell of this process, with a hub that has no ranks behind it."""

import atexit

import pytest
from IPython.core.interactiveshell import InteractiveShell
from support.fake_hub import FakeHub

from jupyter_hpcctr.guest.mpirun import magic


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.chdir(tmp_path)
    hub = FakeHub(tmp_path)
    yield hub
    hub.close()


@pytest.fixture
def shell(hub):
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.colors = "nocolor"
    shell.history_manager.enabled = False
    magic.load(shell, hub.find)
    yield shell
    magic.unload(shell)
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()
    InteractiveShell.clear_instance()
