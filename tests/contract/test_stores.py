"""What every image store must do (``jupyter_hpcctr.testing``), over ours and a real registry."""

import pytest
from support.small_images import make, plain

from jupyter_hpcctr import plugins
from jupyter_hpcctr.core.facts import Policy
from jupyter_hpcctr.testing import StoreContract

__all__ = ["make"]  # a fixture


class TestSquash(StoreContract):
    def open(self, place):
        return plugins.image_store(Policy(store=str(place)))

    @pytest.fixture
    def reference(self, make):
        return make(plain)

    @pytest.fixture
    def absent(self, registry):
        return f"{registry.host}/test/no-such-image:1"


class TestSquashOfFiles(StoreContract):
    """Images that are in no registry."""

    def open(self, place):
        return plugins.image_store(Policy(store=str(place)))

    @pytest.fixture
    def reference(self, make, tmp_path):
        make(plain)
        return f"oci:{tmp_path}/image0/oci:x"

    @pytest.fixture
    def absent(self, tmp_path):
        return f"oci:{tmp_path}/nowhere:x"
