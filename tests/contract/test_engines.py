"""What every engine must keep, shown by real containers: the whole contract over each engine and kind."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_hpcctr import plugins
from jupyter_hpcctr.core.facts import GUEST_ROOT, ImageInfo
from jupyter_hpcctr.core.plan import Container, stage
from jupyter_hpcctr.core.request import Mount
from jupyter_hpcctr.errors import EngineError
from jupyter_hpcctr.testing import Node, broken_promises, leftovers, look

GUEST = Path(plugins.__file__).parent / "guest"
WORDS = ("a b", 'it\'s "so"', "a\nb", "$(x) `x` $HOME", "-x", "--", "", "😀", "a,b:c=d", "\\", "*")
NAMES = ("a b", "a,b", "a:b", "it's", 'a"b', "a\nb", "-a", "a=b", "😀", "$(x)", "*", "%s", "back\\slash", "#a")
MARKS = {"charliecloud": frozenset({"CH_RUNNING"}), "bare": frozenset()}
CASES = [("charliecloud", "squashfs"), ("charliecloud", "directory"), ("bare", "none")]
SECRET = {
    "JUPYTER_TOKEN": "s3cret", "SLURM_MY_TOKEN": "s3cret", "SLURM_JWT": "s3cret", "SLURM_JOB_ID": "4711",
    "LD_LIBRARY_PATH": "/opt/x", "HOME": "/root/else",
}  # fmt: skip

WAIT = """
import ctypes, os, sys, time
ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1).value, 0, 0, 0)  # PR_SET_PTRACER: any (Yama)
memory = ctypes.create_string_buffer(b"seen from the other rank")
with open(sys.argv[1] + ".new", "w") as file:
    file.write("%d %d %d" % (os.getpid(), ctypes.addressof(memory), len(memory.value)))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""
PEEK = """
import ctypes, sys
pid, address, length = map(int, sys.argv[1:])
class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
memory = ctypes.create_string_buffer(length)
local, remote = Iovec(ctypes.addressof(memory), length), Iovec(address, length)
libc = ctypes.CDLL(None, use_errno=True)
libc.process_vm_readv.restype = ctypes.c_ssize_t
done = libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
print(memory.value.decode() if done == length else "errno %d" % ctypes.get_errno())
"""


@pytest.fixture(scope="session")
def image_directory(kernel_image, tmp_path_factory):
    """The session's image, unpacked."""
    place = tmp_path_factory.mktemp("unpacked") / "image"
    words = ("unsquashfs", "-no-progress", "-no-xattrs", "-quiet", "-dest", str(place), kernel_image.path)
    subprocess.run(words, check=True, capture_output=True, timeout=150)
    return dataclasses.replace(kernel_image, path=str(place), kind="directory")


@pytest.fixture(params=CASES, ids=[f"{engine}-{kind}" for engine, kind in CASES])
def case(request):
    """An engine's name and the image that it is to run; none for bare."""
    engine, kind = request.param
    images = {"squashfs": "kernel_image", "directory": "image_directory"}
    return engine, request.getfixturevalue(images[kind]) if kind in images else None


@dataclasses.dataclass
class Bench:
    """Makes nodes of one case in a directory of the test's own."""

    engine_name: str
    image: ImageInfo | None
    place: Path

    @property
    def bare(self):
        return self.image is None

    @property
    def python(self):
        return sys.executable if self.bare else "python3"

    def kernel_dir(self):
        return f"{self.run_dir}/kernel" if self.bare else f"{GUEST_ROOT}/run"

    def node(self, *, run="run", mounts=(), workdir=None, image_path=None):
        self.run_dir = self.place / run
        for name in ("kernel", "work"):
            (self.run_dir / name).mkdir(parents=True, exist_ok=True)
        if self.bare:
            own = ()
        else:
            own = (Mount(str(GUEST), f"{GUEST_ROOT}/guest"), Mount(f"{self.run_dir}/kernel", f"{GUEST_ROOT}/run"))
            staged, directories = stage(mounts, self.image, str(self.run_dir))
            for directory in directories:
                os.makedirs(directory, exist_ok=True)
            own += staged
        container = Container(
            image=image_path or ("" if self.bare else self.image.path),
            kind="none" if self.bare else self.image.kind,
            mounts=own + mounts,
            workdir=workdir or str(self.run_dir / "work"),
            env_file=f"{self.run_dir}/env",
            mount_point=f"{self.run_dir}/mnt",
        )
        path = os.environ["PATH"] if self.bare else "/usr/local/bin:/usr/bin:/bin"
        env = {"PATH": path, "LANG": "C.UTF-8", "HOME": "/tmp", "A": "it's '", "B": "'$PATH:x'", "C": "", "D": " é 😀"}
        host_env = {**SECRET, "TMPDIR": str(self.place)}
        return Node(plugins.engine(self.engine_name), container, run_dir=self.run_dir, env=env, host_env=host_env)

    def hold(self, node):
        guest = GUEST if self.bare else f"{GUEST_ROOT}/guest"
        argv = (self.python, "-S", "-E", f"{guest}/holder.py", f"{self.kernel_dir()}/holder.pid")
        node.hold(argv, self.run_dir / "kernel" / "holder.pid")


@pytest.fixture
def bench(case, tmp_path):
    engine, image = case
    return Bench(engine, image, tmp_path)


def mounted(bench):
    """A mount over a root directory, one below an empty root, one in a directory of that; none for bare."""
    if bench.bare:
        return ()
    for name in ("one", "two"):
        (bench.place / name).mkdir()
        (bench.place / name / "mark").write_text(name)
    home = "/home/alice"
    return Mount(str(bench.place / "one"), home), Mount(str(bench.place / "two"), "/mnt")


def wait_for(path):
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until, f"{path} does not come"
        time.sleep(0.01)
    return path.read_text()


def wait_until_gone(node):
    until = time.monotonic() + 60
    while found := leftovers(node):
        assert time.monotonic() < until, found
        time.sleep(0.01)


def test_a_command_keeps_every_promise(bench):
    mounts = mounted(bench)
    workdir = mounts[0].target if mounts else None
    with bench.node(mounts=mounts, workdir=workdir) as node:
        inside = look(node.command, python=bench.python, words=WORDS)
        assert broken_promises(inside, node, words=WORDS, marks=MARKS[bench.engine_name]) == []
        for mount in mounts:
            assert node.command(("cat", f"{mount.target}/mark")).stdout == Path(mount.source, "mark").read_text()


def test_a_joined_program_keeps_every_promise(bench):
    mounts = mounted(bench)
    workdir = mounts[0].target if mounts else None
    with bench.node(mounts=mounts, workdir=workdir) as node:
        bench.hold(node)
        inside = look(node.join, python=bench.python, words=WORDS)
        assert broken_promises(inside, node, words=WORDS, marks=MARKS[bench.engine_name]) == []
        namespaces = inside["namespaces"]
        assert {n: os.readlink(f"/proc/{node.holder_pid}/ns/{n}") for n in namespaces} == namespaces
        assert look(node.join, python=bench.python)["namespaces"] == namespaces
        assert (namespaces["mnt"] != os.readlink("/proc/self/ns/mnt")) is not bench.bare


def test_the_environment_file_is_read_at_each_join(bench):
    with bench.node() as node:
        bench.hold(node)
        node.env["LATER"] = "set after the holder was started"
        node.write_environment()
        assert broken_promises(look(node.join, python=bench.python), node, marks=MARKS[bench.engine_name]) == []


def test_the_hosts_tmp_is_there_whatever_tmpdir_says(bench, tmp_path):
    (tmp_path / "mark").write_text("host")
    with bench.node() as node:
        assert node.command(("cat", str(tmp_path / "mark"))).stdout == "host"


def test_exit_statuses_and_both_outputs_come_through(bench):
    with bench.node() as node:
        bench.hold(node)
        for run in (node.command, node.join):
            out = run(("sh", "-c", "echo out; echo err >&2; exit 7"))
            assert (out.returncode, out.stdout) == (7, "out\n")
            assert out.stderr.splitlines()[-1] == "err"


def test_joined_programs_read_one_anothers_memory(bench):
    with bench.node() as node:
        bench.hold(node)
        for name in ("first", "second"):
            words = (bench.python, "-c", WAIT, f"{bench.kernel_dir()}/{name}")
            waiting = node.start(node.joining(words))
            try:
                address = wait_for(bench.run_dir / "kernel" / name).split()
                assert node.join((bench.python, "-c", PEEK, *address)).stdout == "seen from the other rank\n"
            finally:
                waiting.kill()
                waiting.wait()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_ending_the_holder_leaves_no_process_and_no_mount(bench, signum):
    with bench.node() as node:
        bench.hold(node)
        assert leftovers(node)
        node.end(signum)
        wait_until_gone(node)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_the_parked_program_ends_with_the_engines_command(bench, signum):
    with bench.node() as node:
        bench.hold(node)
        node.holder.send_signal(signum)
        node.holder.wait(60)
        wait_until_gone(node)


def test_the_holder_ends_when_whoever_started_it_is_killed(bench):
    # The agent is killed by SIGKILL when a job ends hard: it cannot tell the holder.
    with bench.node() as node:
        guest = GUEST if bench.bare else f"{GUEST_ROOT}/guest"
        argv = (bench.python, "-S", "-E", f"{guest}/holder.py", f"{bench.kernel_dir()}/holder.pid")
        words = node.engine.hold(node.container, argv).argv
        middle = "import json, subprocess, sys; subprocess.run(json.loads(sys.argv[1]), start_new_session=True)"
        parent = subprocess.Popen(
            [sys.executable, "-c", middle, json.dumps(words)], env={**node.host_env, **node.env}, cwd=node.run_dir
        )
        pid = wait_for(bench.run_dir / "kernel" / "holder.pid").strip()
        parent.kill()
        parent.wait()
        node.holder_pid = pid
        wait_until_gone(node)


REFUSED = {("source", "a:b"), ("target", "a:b"), ("run", "a:b"), ("run", "a=b")}
"""By Charliecloud; the run directory is the source of a mount, too. All other names must work."""
ROLES = [
    *((CASES[0], role) for role in ("source", "target", "image", "run", "workdir")),
    *((CASES[1], role) for role in ("source", "target", "image", "run", "workdir")),
    *((CASES[2], role) for role in ("run", "workdir")),
]


def named(bench, role, name):
    """A node in which ``role`` has an awkward name, and the work directory, in which there is a mark."""
    source = bench.place / (name if role in ("source", "workdir") else "plain")
    source.mkdir()
    (source / "mark").write_text("here")
    target = f"/home/{name}" if role == "target" else "/home/plain"
    image_path = None
    if role == "image":
        (bench.place / name).symlink_to(bench.image.path)
        image_path = str(bench.place / name)
    mounts = (Mount(str(source), target),) if role in ("source", "target") else ()
    workdir = target if mounts else str(source)
    run = name if role == "run" else "run"
    return bench.node(run=run, mounts=mounts, workdir=workdir, image_path=image_path), workdir


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("case", "role"), ROLES, indirect=["case"], ids=["-".join((*c, r)) for c, r in ROLES])
def test_awkward_names_work_or_are_refused_before_launch(bench, role, name):
    node, workdir = named(bench, role, name)
    if not bench.bare and (role, name) in REFUSED:
        with pytest.raises(EngineError) as refusal:
            node.engine.check(node.container)
        assert refusal.value.hint
        return
    with node:
        parked = 'echo $$ > "$1.new"; mv "$1.new" "$1"; exec sleep 600'
        pid_file = f"{bench.kernel_dir()}/holder.pid"
        node.hold(("sh", "-c", parked, "sh", pid_file), bench.run_dir / "kernel" / "holder.pid")
        for run in (node.command, node.join):
            out = run(("sh", "-c", "cat mark; pwd"))
            assert (out.stdout, out.stderr) == (f"here{workdir}\n", "")


@pytest.mark.parametrize("case", CASES[:2], indirect=True)
def test_the_store_may_keep_its_images_anywhere_absolute(bench):
    node = bench.node(image_path="-v")
    with pytest.raises(EngineError, match="not an absolute path"):
        node.engine.check(node.container)
