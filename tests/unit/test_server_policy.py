"""The provisioner and the extension read one policy, and so have one hub."""

import pytest
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from traitlets.config import Config

import jupyter_hpcctr
from jupyter_hpcctr import compose
from jupyter_hpcctr.config import load_policy
from jupyter_hpcctr.server import app as extension


@pytest.fixture
def server(tmp_path, monkeypatch):
    for name in ("DATA", "CONFIG", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(tmp_path / name.lower()))
    site = {"max_nodes": 3, "prices": {"*": 0.5}, "state_dir": str(tmp_path)}
    return ServerApp(config=Config({"HpcctrSite": site}))


def test_a_kernel_managers_configuration_gives_the_servers_policy(server):
    kernels = AsyncMappingKernelManager(parent=server)
    kernel = kernels.kernel_manager_factory(parent=kernels)
    policy = load_policy(server.config)
    assert policy.max_nodes == 3
    assert load_policy(kernel.config) == policy
    try:
        assert compose.hub(load_policy(kernel.config)) is compose.hub(policy)
    finally:
        compose.close_all()


def test_a_process_has_one_hub_whatever_is_written_meanwhile(server, tmp_path):
    kernels = AsyncMappingKernelManager(parent=server)
    try:
        hub = compose.here(server.config)
        assert hub.policy.max_nodes == 3
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "jupyter_hpcctr_config.json").write_text('{"HpcctrSite": {"currency": "EUR"}}')
        assert compose.here(kernels.kernel_manager_factory(parent=kernels).config) is hub
        assert compose.hubs() == (hub,)
        assert hub.changed().settings == ("currency",)
    finally:
        compose.close_all()
    try:
        assert compose.here(server.config).policy.currency == "EUR"
    finally:
        compose.close_all()


def test_the_extension_is_found_and_its_event_schemas_are_whole():
    (point,) = jupyter_hpcctr._jupyter_server_extension_points()
    assert point["module"] == extension.__name__
    assert callable(extension._load_jupyter_server_extension)
    (lab,) = jupyter_hpcctr._jupyter_labextension_paths()
    assert lab == {"src": "_lab", "dest": "jupyter-hpcctr"}
