"""What runs in the container, run there: how a kernel is started, and from which files."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_hpcctr import plugins
from jupyter_hpcctr.core.facts import GUEST_ROOT
from jupyter_hpcctr.guest import boot, startup
from jupyter_hpcctr.protocol.container import Container, Mount
from jupyter_hpcctr.testing import Node

GUEST = Path(boot.__file__).parent
BOOT = f"{GUEST_ROOT}/guest/boot.py"
RUN = f"{GUEST_ROOT}/run"
CACHE = f"{RUN}/startup"

IMPORT = """
import json, sys
sys.path[:0] = ["/hpcctr/guest"]
import startup
del sys.path[0]
sys.path[:0] = sys.argv[2:]
found = startup.install(sys.argv[1])
import email, json.decoder, zmq.backend.cython._zmq, traitlets
modules = (email, json.decoder, zmq.backend.cython._zmq, traitlets)
print(json.dumps([found, {m.__name__: [type(m.__loader__).__name__, m.__file__] for m in modules}]))
"""
RECORD = "import sys; sys.path[:0] = ['/hpcctr/guest']; import startup, email, json, zmq, traitlets; "
RECORD += "print(startup.record(sys.argv[1]))"


@pytest.fixture
def node(kernel_image, tmp_path):
    """A held container with the guest in it."""
    (tmp_path / "kernel").mkdir(mode=0o700)
    container = Container(
        name=f"hpcctr-guest-{os.getpid()}",
        reference=kernel_image.reference,
        digest=kernel_image.digest,
        image=kernel_image.path,
        kind="squashfs",
        mounts=(Mount(str(GUEST), f"{GUEST_ROOT}/guest"), Mount(str(tmp_path / "kernel"), RUN)),
        workdir="/",
        scratch=str(tmp_path / "engine"),
    )
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nohome"}
    with Node(plugins.engine("charliecloud"), container, run_dir=tmp_path, env=env) as made:
        made.hold(("python3", "-S", "-E", f"{GUEST_ROOT}/guest/holder.py"), tmp_path / "kernel" / "holder.pid")
        yield made


def kernel_dir(node):
    return node.run_dir / "kernel"


def imported(node, *path):
    out = node.join(("python3", "-c", IMPORT, CACHE, *path))
    assert out.stderr == ""
    return json.loads(out.stdout)


def test_words_become_the_kernel_with_nothing_left_open(node):
    out = node.join(("python3", BOOT, "charliecloud", f"{RUN}/c.json", "ls", "-l", "/proc/self/fd"))
    assert "user:[" not in out.stdout
    assert "mnt:[" not in out.stdout
    assert out.returncode == 0


def test_a_kernel_that_is_not_there_is_named(node):
    out = node.join(("python3", BOOT, "charliecloud", f"{RUN}/c.json", "no-such-kernel", "x"))
    assert (out.returncode, out.stderr) == (127, "no-such-kernel: No such file or directory\n")


def test_an_image_without_ipykernel_is_told_what_to_add(node):
    out = node.join(("python3", "-S", BOOT, "charliecloud", f"{RUN}/c.json"))
    assert out.returncode == boot.NO_IPYKERNEL
    assert out.stderr.startswith("the image has no ipykernel for python3")
    assert out.stderr.endswith("add it with 'pip install ipykernel'\n")
    assert len(out.stderr.splitlines()) == 1


@pytest.mark.parametrize(("value", "kept"), [("0", False), ("1", True)])
def test_the_promise_of_no_new_privileges_is_read_from_the_kernel(tmp_path, value, kept):
    (tmp_path / "status").write_text(f"Name:\tNoNewPrivs: 1\nNoNewPrivs:\t{value}\nSeccomp:\t1\n")
    assert boot.no_new_privileges(str(tmp_path / "status")) is kept


def test_a_container_that_breaks_the_promise_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(boot, "no_new_privileges", lambda: False)
    with pytest.raises(SystemExit) as end:
        boot.main(["boot.py", "other", "/run/c.json", "true"])
    assert end.value.code == boot.BROKEN_PROMISE
    assert "'other'" in capsys.readouterr().err


def test_homes_are_moved_only_where_home_cannot_be_written_to(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path)})
    boot.writable_homes("/run")
    assert os.environ == {"HOME": str(tmp_path)}
    os.environ.update(HOME="/nohome", IPYTHONDIR="/mine")
    boot.writable_homes("/run")
    assert os.environ == {
        "HOME": "/nohome",
        "IPYTHONDIR": "/mine",
        "JUPYTER_RUNTIME_DIR": "/run/runtime",
        "MPLCONFIGDIR": "/run/matplotlib",
    }


def test_what_was_recorded_is_imported_from_the_one_file(node):
    assert imported(node)[0] is False
    assert node.join(("python3", "-c", RECORD, CACHE)).stdout == "True\n"
    assert (kernel_dir(node) / "startup").stat().st_mode & 0o777 == 0o600
    found, modules = imported(node)
    assert found is True
    assert {name: loader for name, (loader, _) in modules.items()} == {
        "email": "_Loader",
        "json.decoder": "SourceFileLoader",  # imported before the cache was installed
        "zmq.backend.cython._zmq": "ExtensionFileLoader",
        "traitlets": "_Loader",
    }


def test_the_users_own_directories_keep_their_precedence(node):
    node.join(("python3", "-c", RECORD, CACHE))
    (kernel_dir(node) / "own").mkdir()
    (kernel_dir(node) / "own" / "traitlets.py").write_text("")
    modules = imported(node, f"{RUN}/own")[1]
    assert modules["traitlets"] == ["SourceFileLoader", f"{RUN}/own/traitlets.py"]
    assert modules["email"][0] == "_Loader"


@pytest.mark.parametrize("damage", ["truncated", "writable by others", "of another interpreter", "a link"])
def test_a_cache_that_cannot_be_trusted_is_ignored(tmp_path, monkeypatch, damage):
    path = tmp_path / "startup"
    cache = ({"a": ("/a.py", False, b"code" * 50)}, ["/lib/x.so"])
    assert startup.write(str(path), cache)
    assert startup.load(str(path)) == cache
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "writable by others":
        path.chmod(0o620)
    elif damage == "of another interpreter":
        monkeypatch.setattr(sys, "version", "3.99")
    else:
        path.rename(tmp_path / "real")
        path.symlink_to(tmp_path / "real")
    assert startup.load(str(path)) is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").touch()
    assert startup.write(str(tmp_path / "file" / "startup"), ({}, [])) is False


def test_a_cache_that_does_not_fit_on_the_disk_leaves_nothing(tmp_path):
    code = """
import os, sys
sys.path.insert(0, sys.argv[1])
import startup
assert startup.write("startup", ({"a": ("/a.py", False, bytes(1_000_000))}, [])) is False
print(os.listdir("."))
"""
    script = 'mount -t tmpfs -o size=128k none /mnt && cd /mnt && mkdir here && cd here && exec "$0" -c "$1" "$2"'
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, sys.executable, code]
    guest = str(Path(startup.__file__).parent)
    done = subprocess.run([*words, guest], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_killed_kernels_left_of_a_cache_is_removed_by_the_next(tmp_path):
    for name, age_s in (("startup.1", 7200), ("startup.2", 60), ("other.1", 7200)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    assert startup.write(str(tmp_path / "startup"), ({}, []))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.1", "startup", "startup.2"]


@pytest.mark.parametrize(("root", "known"), [("fuse", True), ("fuse.squashfuse_ll", True), ("ext4", False)])
def test_only_an_image_that_nobody_can_change_has_a_cache(tmp_path, root, known):
    lines = ["30 1 254:0 / / rw - ext4 /dev/vda rw", f"89 30 0:40 / / ro shared:1 - {root} x ro"]
    (tmp_path / "mountinfo").write_text("\n".join([*lines, "99 89 0:5 / /dev rw - tmpfs x rw\n"]))
    assert (startup.image_device(str(tmp_path / "mountinfo")) is not None) is known


def test_the_kernel_ends_when_its_parent_was_killed(node):
    connection = {"transport": "ipc", "ip": f"{RUN}/s", "key": "k", "signature_scheme": "hmac-sha256"}
    connection |= {f"{name}_port": n for n, name in enumerate(("shell", "iopub", "stdin", "control", "hb"), 1)}
    (kernel_dir(node) / "c.json").write_text(json.dumps(connection))
    node.env["HPCCTR_STARTUP_CACHE"] = CACHE
    node.write_environment()
    words = node.entering(("python3", BOOT, "charliecloud", f"{RUN}/c.json")).argv
    middle = "import json, os, subprocess, sys; p = subprocess.Popen(json.loads(sys.argv[1])); print(p.pid); "
    middle += "sys.stdout.flush(); p.wait()"
    parent = subprocess.Popen(
        [sys.executable, "-c", middle, json.dumps(words)], env=node.host_env, stdout=subprocess.PIPE, text=True
    )
    kernel = parent.stdout.readline().strip()
    wait_for(lambda: (kernel_dir(node) / "s-5").exists())
    wait_for(lambda: (kernel_dir(node) / "startup").exists())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: state(kernel) in ("", "Z"))


def state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_for(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
