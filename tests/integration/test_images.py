"""The images of kernels/images, each used for what it is there for."""

import collections
import json
import os
import struct
import subprocess
import tarfile

import pytest
from support.images import build, image_cache

pytestmark = pytest.mark.image

WORLD = """
import os
import numpy
from mpi4py import MPI
comm = MPI.COMM_WORLD
total = numpy.empty(1 << 20)
comm.Allreduce(numpy.full(1 << 20, float(comm.rank)), total)
node = os.environ.get("SLURMD_NODENAME")
print(comm.rank, comm.size, node, total[-1], MPI.get_vendor()[0], flush=True)
"""

FIGURE = r"""
import io
import matplotlib.pyplot as plt
figure, axes = plt.subplots()
axes.loglog([1, 10, 100], [1, 5, 1000], label=r"$\sum_k \mathcal{O}(\hbar^{-2})\ \mathbb{R}$")
axes.set_title("ranks 0–3 → ½ ü", family="monospace")
axes.legend(prop={"family": "serif"}, framealpha=1)
for kind in ("png", "pdf", "svg", "ps", "jpg", "webp"):
    figure.savefig(out := io.BytesIO(), format=kind)
    assert out.tell() > 3000, kind
"""


@pytest.fixture(params=["mpi_image", "mpich_image"])
def either(request):
    """Each of the images with MPI."""
    return request.getfixturevalue(request.param)


def run(image, *words, before=(), timeout=60, **env):
    """Run a program in an image, as ch-run(1) does by itself; its output's lines, sorted, and its errors."""
    line = (*before, "ch-run", image.path, "--", *words)
    done = subprocess.run(line, env=dict(os.environ) | env, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr
    return sorted(done.stdout.splitlines()), done.stderr


def test_mpich_says_what_it_is(mpich_image):
    mpi = "org.supercontainers.mpi"
    notes = mpich_image.annotations
    assert (notes[f"{mpi}.implementation"], notes[f"{mpi}.version"]) == ("mpich", "4.0.2")
    assert (notes[f"{mpi}.portability.mode"], notes["org.supercontainers.pmi.version"]) == ("mpi_system", "2")
    shown, _ = run(mpich_image, "mpichversion")
    assert "MPICH Version:    \t4.0.2" in shown
    assert notes["org.opencontainers.image.base.name"] == "python-plot:1"


@pytest.mark.slurm
def test_mpich_of_two_nodes_is_one_world_by_pmi2(mpich_image, slurm_env):
    # Both nodes are this machine, and each rank has a container of its own: of the ways through memory that UCX
    # knows, only System V's works between them.
    srun = ("srun", "--nodes=2", "--ntasks-per-node=2", "--mpi=pmi2")
    shown, _ = run(mpich_image, "python3", "-c", WORLD, before=srun, UCX_TLS="sysv,self")
    assert shown == [f"{rank} 4 n{1 + rank // 2} 6.0 MPICH" for rank in range(4)]


@pytest.mark.slurm
def test_mpich_in_one_container_of_a_node_needs_no_settings(mpich_image, slurm_env):
    joined = f'exec ch-run --join --join-ct=4 {mpich_image.path} -- python3 -c "$0"'
    words = ("srun", "--nodelist=n1", "--ntasks=4", "--mpi=pmi2", "sh", "-c", joined, WORLD)
    done = subprocess.run(words, env=dict(os.environ), capture_output=True, text=True, timeout=60)
    assert sorted(done.stdout.splitlines()) == [f"{rank} 4 n1 6.0 MPICH" for rank in range(4)], done.stderr


@pytest.mark.parametrize("launcher", ["mpiexec", "mpirun"])
def test_mpich_starts_ranks_by_itself_in_the_container(mpich_image, launcher):
    shown, errors = run(mpich_image, launcher, "-n", "2", "python3", "-c", WORLD)
    assert (shown, errors) == (["0 2 None 1.0 MPICH", "1 2 None 1.0 MPICH"], "")


def test_figures_are_drawn_in_all_formats_without_a_warning(either, tmp_path):
    cache = tmp_path / "matplotlib"
    made = []
    for _ in ("without a cache of fonts", "with it"):
        _, errors = run(either, "python3", "-W", "error", "-c", FIGURE, MPLCONFIGDIR=str(cache))
        assert errors == ""
        made.append({each.name: each.stat().st_mtime_ns for each in cache.glob("fontlist-*.json")})
    assert made[0] == made[1] != {}, "the second has used what the first has found"


def members(name):
    """Files of all layers of a built image, with their first 16 bytes."""
    build(image_cache(), name)
    blobs = image_cache() / name / "blobs" / "sha256"

    def document(descriptor):
        return json.loads((blobs / descriptor["digest"].partition(":")[2]).read_bytes())

    (index,) = json.loads((image_cache() / name / "index.json").read_text())["manifests"]
    (manifest,) = document(index)["manifests"]
    for layer in document(manifest)["layers"]:
        with tarfile.open(blobs / layer["digest"].partition(":")[2]) as tar:
            for member in tar:
                if member.isfile():
                    yield member.name, tar.extractfile(member).read(16)


def test_all_modules_are_compiled_once_and_never_out_of_date():
    files = list(members("python-mpich"))
    names = collections.Counter(path for path, _ in files)
    assert [path for path, layers in names.items() if layers > 1] == ["etc/ld.so.cache"]
    compiled = {path: start for path, start in files if path.endswith(".pyc")}
    assert {path for path, start in compiled.items() if struct.unpack_from("<I", start, 4) != (1,)} == set()
    sources = {path for path in names if path.startswith("usr/") and path.endswith(".py")}
    of = {path.replace("__pycache__/", "").replace(".cpython-311.pyc", ".py") for path in compiled}
    assert len(sources) > 2000 and sources - of == set()


def test_what_the_base_leaves_out_is_left_out_above_it_too():
    names = {path for path, _ in members("python-mpich")}
    packages = {path.rpartition("/")[2] for path in names if "dpkg/status.d/" in path}
    assert {"libmpich12", "mpich", "libc6"} <= packages
    assert packages & {"adduser", "dpkg", "perl-base", "openssh-client", "hwloc-nox", "libgfortran5"} == set()
    for fat in ("/matplotlib/tests/", "sample_data", "/afm/", "libavif", "MPI.openmpi", "mpicc"):
        assert [name for name in names if fat in name and not name.startswith("usr/lib/python3.11/")] == [], fat
