"""Real images for the tests: built from kernels/images, served by a real registry, pulled into a real store."""

import contextlib
import dataclasses
import functools
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from jupyter_hpcctr.core.facts import Policy
from jupyter_hpcctr.core.job import Command
from jupyter_hpcctr.core.request import ImageRef
from jupyter_hpcctr.edge import files, locks, process
from jupyter_hpcctr.images.store import SquashStore

CHECKOUT = Path(__file__).resolve().parents[2]
RECIPES = CHECKOUT / "kernels" / "images"
ENVIRONMENT = dict(os.environ)
"""As the run began, with what pip needs here; tests get less."""


@dataclass(frozen=True)
class Registry:
    """A docker-registry of our own on the loopback address."""

    host: str
    log_file: Path
    data: Path

    def gets(self, words):
        """How often paths with these words in them were fetched with success."""
        found = re.findall(r'"GET (\S+) HTTP/1.1" 200 ', self.log_file.read_text())
        return [path for path in found if words in path]


@functools.cache
def image_cache():
    """Where built images are kept between runs: in the checkout, or in the home where that is another's."""
    wanted = ENVIRONMENT.get("HPCCTR_TEST_CACHE")
    places = (
        [Path(wanted)] if wanted else [CHECKOUT / "build" / "images", Path.home() / ".cache" / "hpcctr-test-images"]
    )
    for place in places:
        try:
            place.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=place).close()
        except PermissionError:
            continue
        return place
    raise AssertionError(f"none of {places} can be written: name another directory in HPCCTR_TEST_CACHE")


def build(output, *recipes, **env):
    """Run the builder as people do; its words are the failure's."""
    words = [sys.executable, str(RECIPES / "build.py"), *recipes, "--output", str(output)]
    done = subprocess.run(words, env={**ENVIRONMENT, **env}, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return dict(line.split() for line in done.stdout.splitlines())


@pytest.fixture(scope="session")
def built_images():
    """The OCI layouts of the recipes that the demo has, as directories by name; built when they are not there yet."""
    build(image_cache(), "python", "python-mpi")
    return {name: image_cache() / name for name in ("python", "python-mpi")}


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """A real registry with nothing in it."""
    with serving(tmp_path_factory.mktemp("registry")) as (made, _):
        yield made


@contextlib.contextmanager
def serving(place):
    """Serve a registry from an empty directory; yield it and its process."""
    config, log_file = place / "config.yml", place / "log"
    config.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {place}/data}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n"
    )
    words = Command(("docker-registry", "serve", str(config)))
    server = process.start(words, env=ENVIRONMENT | {"OTEL_TRACES_EXPORTER": "none"}, log_file=log_file, cwd=place)
    try:
        yield Registry(_listening(server, log_file), log_file, place / "data"), server
    finally:
        server.terminate()
        server.wait(timeout=30)


def _listening(server, log_file):
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        if found := re.search(r"listening on (127\.0\.0\.1:\d+)", files.tail(log_file)):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"the registry does not start:\n{files.tail(log_file)}")


def push(registry, layout, tag, name):
    """Copy a layout's image to the registry, whole; return the reference to pull it by."""
    target = f"{registry.host}/{name}"
    words = ("skopeo", "--insecure-policy", "copy", "--quiet", "--all", "--dest-tls-verify=false")
    process.check(Command((*words, f"oci:{layout}:{tag}", f"docker://{target}")), timeout_s=300)
    return target


@pytest.fixture(scope="session")
def image_policy(tmp_path_factory):
    """The policy whose ``store`` the session's images are in."""
    return Policy(store=str(tmp_path_factory.mktemp("store") / "images"))


@pytest.fixture(scope="session")
def pulled(image_policy, registry, tmp_path_factory):
    """``pulled(recipe)`` builds a recipe's image, pushes it, and pulls it into the session's store (an ``ImageInfo``).

    The processes of one run flatten each image once: the first that pulls it links it to where the others find it.
    """
    base = tmp_path_factory.getbasetemp()
    flattened = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "flattened"
    flattened.mkdir(exist_ok=True)

    def pull(recipe):
        build(image_cache(), recipe)
        reference = push(registry, image_cache() / recipe, "1", f"{recipe}:1")
        here, there = Path(image_policy.store) / "sha256", flattened / recipe
        with locks.locked(flattened / f"{recipe}.lock"):
            _link(there, here)
            image = SquashStore(image_policy).pull(ImageRef(reference), lambda line: None)
            _link(here, there, Path(image.path).stem)
        return image

    return pull


def _link(source, target, stem="*"):
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in source.glob(f"{stem}.*"):
        with contextlib.suppress(FileExistsError):
            (target / path.name).hardlink_to(path)


@pytest.fixture(scope="session")
def kernel_image(pulled):
    """The image without MPI, pulled into the session's store (an ``ImageInfo``)."""
    return pulled("python")


@pytest.fixture(scope="session")
def image_directory(kernel_image, tmp_path_factory):
    """The image without MPI, unpacked (an ``ImageInfo``)."""
    place = tmp_path_factory.mktemp("unpacked") / "image"
    words = ("unsquashfs", "-no-progress", "-no-xattrs", "-quiet", "-dest", str(place), kernel_image.path)
    subprocess.run(words, check=True, capture_output=True, timeout=150)
    return dataclasses.replace(kernel_image, path=str(place), kind="directory")


@pytest.fixture(scope="session")
def mpi_image(pulled):
    """The image with Open MPI, mpi4py and Matplotlib, pulled into the session's store (an ``ImageInfo``)."""
    return pulled("python-mpi")


@pytest.fixture(scope="session")
def mpich_image(pulled):
    """The image with MPICH, mpi4py and Matplotlib, pulled into the session's store (an ``ImageInfo``)."""
    return pulled("python-mpich")


@pytest.fixture(scope="session")
def image_store(image_policy, kernel_image, mpi_image):
    """The session's store with these two images in it; tests that change it make their own."""
    return SquashStore(image_policy)
