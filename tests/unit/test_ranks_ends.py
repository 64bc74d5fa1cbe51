"""Ends of ranks where two things happen at once, with real processes: which of them comes first must not matter."""

import os
import signal
import subprocess
import sys

import pytest
import zmq
from support.relays import W1, W2, relayed, shell, speaking
from support.waiting import state_of, wait_until

from jupyter_hpcctr.guest.mpirun import enter


@pytest.fixture
def node():
    with relayed() as made:
        yield made


def wait_for_end(pid):
    try:
        wait_until(lambda: state_of(pid) in "ZXgone", "it goes on")
    except AssertionError:
        os.kill(pid, signal.SIGKILL)
        raise


def test_kill_ends_what_a_rank_has_started_whatever_its_wrapper_is_at(node):
    (wrapper,) = node.start(shell("sleep 1000 & echo $!; wait"))
    node.until(lambda: node.pids() and node.printed().endswith("\n"))
    started = int(node.printed())
    wrapper.send_signal(signal.SIGSTOP)  # it is too slow to do it
    node.relay.kill(W1)
    wait_for_end(started)
    node.until(node.gone)
    assert wrapper.wait(30) == -signal.SIGKILL


def test_kill_ends_a_process_that_has_begun_while_its_relay_was_at_work(node):
    begun = node.directory / "begun"
    (wrapper,) = node.start(shell(f"echo $$ > {begun}.tmp; mv {begun}.tmp {begun}; exec sleep 1000"))
    node.until(lambda: node.relay.ranks)
    assert node.pids() == {}
    wait_until(begun.exists, "it has not begun")
    assert dict(node.poller.poll(30_000))  # what its wrapper says of it
    node.relay.kill(W1)
    node.relay.forget(W1)
    assert wrapper.wait(30) == -signal.SIGKILL
    wait_for_end(int(begun.read_text()))


class Late:
    """A relay's socket whose thread has read nothing of what is there until it is waited for."""

    def __init__(self, socket):
        self.socket, self.looked = socket, 0

    def recv_multipart(self, flags):
        if not self.looked:
            raise zmq.Again
        return self.socket.recv_multipart(flags)

    def poll(self, patience_ms):
        self.looked += 1
        return self.socket.poll(patience_ms)


def test_a_message_that_is_read_late_is_told_before_the_end(node, monkeypatch):
    says = """
print("text", flush=True)
show("first")
show("second")
print("last", flush=True)
context.destroy(linger=10000)
os._exit(0)
"""
    with monkeypatch.context() as patched:
        patched.setattr(node.relay, "_socket", Late(node.relay._socket))
        node.start(speaking(says))
        node.until(node.gone)
    assert [item for item in node.items[W1] if item[0] != "entered"] == [
        ["out", [0], "stdout", "text\n"],
        ["display", [0], 1, "display_data", "first"],
        ["display", [0], 1, "display_data", "second"],
        ["out", [0], "stdout", "last\n"],
        ["gone", [0], 0],
    ]


def test_a_message_that_never_comes_keeps_no_end_back(node, monkeypatch):
    marks = """
for descriptor in (1, 2):
    os.write(descriptor, b"\\0" + os.environ["HPCCTR_TOKEN"].encode() + b"00000001\\n")
print("last", flush=True)
"""
    with monkeypatch.context() as patched:
        patched.setattr(node.relay, "_socket", late := Late(node.relay._socket))
        node.start(speaking(marks), 0)
        node.start(speaking(marks + "import time\ntime.sleep(1000)"), 0, world=W2)
        node.until(lambda: node.gone() == {0: 0})
        assert node.printed() == "last\n"
        looked = late.looked
        assert looked > 0
        node.until(lambda: node.pids(W2) and node.relay.ranks[W2, 0].owes_message(node.relay.bundles[W2]))
        node.relay.forget(W2)  # where nobody hears it any more
        assert late.looked == looked


def test_a_wrapper_that_comes_when_its_world_is_forgotten_runs_nothing(node):
    node.relay.expect({"world": W1, "ranks": 1, "argv": []})
    node.relay.forget(W1)
    before = sorted(path.name for path in node.directory.iterdir())
    for name in ("out", "err"):
        os.mkfifo(node.directory / f"{W1}.0.{name}")
    waits = f"import os; os.open({str(node.directory / f'{W1}.0.out')!r}, os.O_WRONLY)"
    late = subprocess.Popen([sys.executable, "-c", waits])
    gone = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(gone, 0)
    door = os.open(node.directory / "door", os.O_WRONLY)
    for rank, pid in ((0, late.pid), (1, gone)):
        os.write(door, f'{{"event":"open","world":"{W1}","rank":{rank},"token":"ab","pid":{pid}}}\n'.encode())
    os.close(door)
    node.turn()
    try:
        assert node.relay.ranks == {}
        assert late.wait(30) == -signal.SIGKILL
        assert sorted(path.name for path in node.directory.iterdir()) == before
    finally:
        late.kill()
        late.wait()


def test_a_directory_that_cannot_be_emptied_stays_and_its_world_is_forgotten(node):
    node.relay.expect({"world": W1, "ranks": 1, "argv": []})
    kept = node.directory / f"{W1}.tmp" / "kept"
    kept.mkdir()
    (kept / "file").touch()
    kept.chmod(0o500)
    try:
        node.relay.forget(W1)
    finally:
        kept.chmod(0o700)
    assert (kept / "file").exists()
    assert not (node.directory / f"{W1}.json").exists()


def test_a_wrapper_that_is_told_to_end_when_its_process_has_ended_says_how(node):
    """The process's number is free by then, or another's."""
    script = node.directory / "script.py"
    script.write_text(f"""
import os, runpy, signal
waitpid = os.waitpid
def waited(*args):
    ended = waitpid(*args)
    signal.raise_signal(signal.SIGTERM)
    return ended
os.waitpid = waited
runpy.run_path({enter.__file__!r}, run_name="__main__")
""")
    node.script = str(script)
    (wrapper,) = node.start(shell("exit 3"))
    node.until(node.gone)
    assert node.gone() == {0: 3}
    assert wrapper.wait(30) == 3
