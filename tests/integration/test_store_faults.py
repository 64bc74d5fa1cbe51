"""Images and registries with a fault of their own: what can be used is, and the rest is said in a sentence."""

import http.server
import shutil
import threading

import pytest
from support.small_images import make, plain, quiet, store

from jupyter_hpcctr.core.job import Command
from jupyter_hpcctr.core.request import ImageRef
from jupyter_hpcctr.edge import process
from jupyter_hpcctr.errors import ImageError
from jupyter_hpcctr.images import fetch

__all__ = ["make", "store"]  # fixtures


def test_a_deeply_nested_image_is_pulled_and_leaves_nothing(store, make):
    image = store.pull(ImageRef(make(plain, more={"/".join(["d"] * 1200): ("dir", 0o755)})), quiet)
    assert image.roots["d"] is False
    lines = process.check(Command(("unsquashfs", "-l", image.path))).splitlines()
    assert max(line.count("/d") for line in lines) == 1200


def test_an_image_of_the_year_9999_is_pulled(store, make):
    info = store.pull(ImageRef(make(plain, created="9999-12-31T23:59:59Z")), quiet)
    assert info.created.startswith("9999")


def test_a_config_for_another_machine_under_a_manifest_for_this_one_is_refused(store, make):
    other = "s390x" if fetch.architecture() != "s390x" else "amd64"
    with pytest.raises(ImageError, match=f"config says that it is made for linux/{other}"):
        store.pull(ImageRef(make(plain, config_architecture=other)), quiet)
    assert store.list() == ()


def test_a_layer_that_the_registry_lost_is_said(store, make, registry):
    reference = make(plain)
    name = reference.partition("/")[2].rpartition(":")[0]
    for link in (registry.data / "docker/registry/v2/repositories" / name / "_layers/sha256").iterdir():
        shutil.rmtree(registry.data / "docker/registry/v2/blobs/sha256" / link.name[:2] / link.name)
    with pytest.raises(ImageError, match="is not whole") as caught:
        store.pull(ImageRef(reference), quiet)
    assert not caught.value.transient


def test_a_hard_link_to_nothing_is_said(store, make):
    with pytest.raises(ImageError, match="a link to a file that is not there"):
        store.pull(ImageRef(make(plain, more={"usr/b": ("hard", "usr/nowhere")})), quiet)


class Refusing(http.server.BaseHTTPRequestHandler):
    """A registry that has a status for everybody."""

    status = 500

    def do_GET(self):
        self.send_response(self.status)
        for name in ("Content-Length", "Retry-After"):
            self.send_header(name, "0")
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.mark.parametrize(
    ("status", "meaning", "transient"),
    [(403, "wants a login", False), (429, "no more requests", True), (500, "a fault of its own", True)],
)
def test_what_a_registry_refuses_is_a_sentence(store, status, meaning, transient):
    kind = type("Refusing", (Refusing,), {"status": status})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(ImageError, match=meaning) as caught:
            store.pull(ImageRef(f"127.0.0.1:{server.server_port}/a/b:1"), quiet)
        server.shutdown()
    assert caught.value.transient is transient
