"""Wrappers of ranks, run as a launcher does, with a real relay: order, ends, and what programs are given."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.relays import W1, W2, W3, W4, relayed, shell, speaking
from support.waiting import state_of

from jupyter_hpcctr.guest.mpirun import enter


@pytest.fixture
def node():
    with relayed() as made:
        yield made


def test_how_programs_end_is_told_at_once_and_to_the_launcher(node):
    (node.directory / "plain").write_text("no program")
    ends = shell("echo $HPCCTR_RANK; case $HPCCTR_RANK in 2) kill -SEGV $$;; *) exit $(($HPCCTR_RANK * 3)) ;; esac")
    wrappers = node.start(ends, 0, 1, 2)
    wrappers += node.start(["no-such-program"], world=W2)
    wrappers += node.start([str(node.directory / "plain")], world=W3)
    wrappers += node.start(shell("true"), world=W4, cwd=str(node.directory / "away"))
    node.until(lambda: len(node.gone()) == 3 and all(node.gone(world) for world in (W2, W3, W4)))
    assert [wrapper.poll() for wrapper in wrappers[1:]] == [None] * 5  # or a launcher would end the other ranks
    assert [node.gone(world) for world in (W1, W2, W3, W4)] == [
        {0: 0, 1: 3, 2: -11},
        {0: 127},
        {0: 126},
        {0: 127},
    ]
    assert [node.printed(rank=rank) for rank in (0, 1, 2)] == ["0\n", "1\n", "2\n"]
    assert node.printed("stderr", world=W2) == "no-such-program: No such file or directory\n"
    assert node.printed("stderr", world=W3) == f"{node.directory}/plain: Permission denied\n"
    assert node.printed("stderr", world=W4) == f"{node.directory}/away: No such file or directory\n"
    assert [wrapper.wait(30) for wrapper in wrappers] == [0, 3, 128 + 11, 127, 126, 127]


def test_what_a_rank_has_started_ends_with_it(node):
    (wrapper,) = node.start(shell("sleep 4321 & echo $!"))
    node.until(lambda: node.gone() == {0: 0})
    assert wrapper.wait(30) == 0
    assert state_of(int(node.printed())) in ("gone", "Z")


def test_only_who_has_a_handler_is_asked_by_a_signal(node):
    node.start(shell("echo up; exec sleep 60"))
    node.start(
        speaking("import signal\nsignal.signal(signal.SIGUSR1, print)\nprint('up', flush=True)\nsocket.recv()"),
        world=W2,
    )
    node.until(lambda: "up" in node.printed() and "up" in node.printed(world=W2))
    assert not node.relay.ranks[W1, 0].catches(signal.SIGUSR1)
    assert node.relay.ranks[W2, 0].catches(signal.SIGUSR1)


def test_shared_memory_that_killed_ranks_leave_goes_with_their_world(node):
    node.start(shell('echo "$UCX_POSIX_DIR"; echo x > "$UCX_POSIX_DIR"/left; exec sleep 60'))
    node.until(lambda: "\n" in node.printed())
    directory = Path(node.printed().strip())
    assert directory.stat().st_mode & 0o777 == 0o700
    node.relay.kill(W1)
    node.until(lambda: 0 in node.gone())
    node.relay.forget(W1)
    assert not directory.exists()


def test_text_and_messages_come_in_the_order_in_which_they_were_said(node):
    script = """
for n in range(200):
    print(f"before {n}", flush=True)
    os.write(2, b"grumble %d\\n" % n)
    show({"n": n})
print("last", flush=True)
done()
os.write(1, b"too late")
socket.recv()
"""
    node.start(speaking(script), 0, 1)
    node.until(lambda: sorted(rank for item in node.told("done") for rank in item[1]) == [0, 1])
    node.until(lambda: "too late" in node.printed(rank=0) and "too late" in node.printed(rank=1))
    for rank in (0, 1):
        mine = [item for item in node.items[W1] if rank in item[1] and item[0] != "entered"]
        out, err = "", ""
        shown = []
        for kind, _, *rest in mine:
            if kind == "out" and rest[0] == "stdout":
                out += rest[1]
            elif kind == "out":
                err += rest[1]
            elif kind == "display":
                n = rest[2]["n"]
                assert out.endswith(f"before {n}\n")
                assert err.endswith(f"grumble {n}\n")
                shown.append(n)
            elif kind == "done":
                assert rest == [1, "ok", None]
                assert out.endswith("last\n")
        assert shown == list(range(200))
        assert out == "".join(f"before {n}\n" for n in range(200)) + "last\ntoo late"
    node.relay.tell(W1, {"op": "end"}, ranks=[1])
    node.until(lambda: node.gone() == {1: 0})
    node.relay.tell(W1, {"op": "end"})
    node.until(lambda: node.gone() == {0: 0, 1: 0})


def test_the_last_message_is_told_before_the_end(node):
    """Also where it is read together with the news that the process has ended."""
    script = """
import time
while not os.path.exists("go"):
    time.sleep(0.001)
print("text", flush=True)
show("shown")
context.destroy(linger=10000)
os._exit(0)
"""
    (wrapper,) = node.start(speaking(script), 0)
    node.until(lambda: node.pids())
    (node.directory / "go").touch()
    assert wrapper.wait(30) == 0
    node.until(lambda: node.gone())
    kinds = [item for item in node.items[W1] if item[0] != "entered"]
    assert kinds == [
        ["out", [0], "stdout", "text\n"],
        ["display", [0], 1, "display_data", "shown"],
        ["gone", [0], 0],
    ]


def test_much_output_is_bounded_and_kept_whole(node):
    line = "0123456789abcdef" * 64 + "\n"
    lines = 50_000_000 // len(line)
    script = f"""
for _ in range({lines}):
    os.write(1, {line.encode()!r})
os.write(2, b"end")
done()
"""
    node.start(speaking(script), 0, limit=100_000, spill=str(node.directory / "spilled"))
    node.until(lambda: node.gone())
    assert node.printed() + node.printed("stderr") == (line * 100)[:100_000]
    ((_, _, path, size, error),) = node.told("spilled")
    assert (size, error) == (lines * len(line) + 3, "")
    assert path == str(node.directory / "spilled" / f"{W1}-rank-0.txt")
    with open(path, "rb") as file:
        found = hashlib.sha1(file.read())
    assert found.digest() == hashlib.sha1((line * lines + "end").encode()).digest()
    assert [item[0] for item in node.items[W1]][-3:] == ["spilled", "done", "gone"]


def test_each_cell_has_a_bound_of_its_own(node):
    script = """
socket.send(json.dumps({"kind": "up", "pid": os.getpid()}).encode())
while (told := json.loads(socket.recv()))["op"] == "execute":
    print(told["code"] * 10, end="", flush=True)
    say("done", cell=told["cell"], status="ok", error=None)
"""
    node.start(speaking(script), 0)
    node.until(lambda: node.told("up"))
    assert node.told("up") == [["up", [0], {"pid": node.pids()[0]}]]
    spill = str(node.directory / "spilled")
    for cell in (1, 2):
        node.relay.tell(W1, {"op": "execute", "cell": cell, "code": str(cell), "limit": 5, "spill": spill})
        node.until(lambda done=["done", [0], cell, "ok", None]: done in node.items[W1])
    assert node.printed() == "1111122222"
    assert node.told("spilled") == [["spilled", [0], f"{spill}/cell-{cell}-rank-0-{W1}.txt", 10, ""] for cell in (1, 2)]


def test_a_program_that_is_killed(node):
    node.start(shell("echo a; exec sleep 1000"), 0)
    node.until(lambda: node.pids() and node.printed() == "a\n")
    os.kill(node.pids()[0], signal.SIGKILL)
    node.until(lambda: node.gone() == {0: -9})


def test_a_wrapper_that_is_killed_takes_its_program_along(node):
    (wrapper,) = node.start(shell("echo last; exec sleep 1000"), 0)
    node.until(lambda: node.pids() and node.printed() == "last\n")
    wrapper.kill()
    node.until(lambda: node.gone() == {0: None})
    node.until(lambda: state_of(node.pids()[0]) in "ZXgone")


def test_a_wrapper_that_is_told_to_end_says_how_its_program_did(node):
    (wrapper,) = node.start(shell("trap '' TERM; exec sleep 1000"), 0)
    node.until(lambda: node.pids())
    wrapper.send_signal(signal.SIGINT)  # which is the rank's own affair
    wrapper.terminate()
    node.until(lambda: node.gone() == {0: -9})


WORDS = shell("env; pwd; cat; exit 0")
OWN = {
    "HPCCTR_WORLD": W1, "HPCCTR_RANK": "5", "HPCCTR_RANKS": "1", "HPCCTR_DIR": "/seen/inside",
    "HPCCTR_NODE": "",
}  # fmt: skip


def environment(node):
    """What a program that prints its environment had, without what a shell adds."""
    pairs = dict(line.split("=", 1) for line in node.printed(rank=5).splitlines() if "=" in line)
    return {name: value for name, value in pairs.items() if name not in ("PWD", "OLDPWD", "SHLVL", "_")}


def test_a_program_gets_the_environment_of_the_plan(node, monkeypatch):
    for name in ("KEPT", "KEPT_NOT", "OTHER", "A"):
        monkeypatch.setenv(name, "of the job")
    node.start(WORDS, 5, dir_inside="/seen/inside")
    node.until(lambda: node.gone() == {5: 0})
    found = environment(node)
    assert len(found.pop("HPCCTR_TOKEN")) == 32
    memory = found.pop("UCX_POSIX_DIR")
    assert Path(memory).name == f"mpi-{node.directory.parent.name}-{W1}"
    assert {found.pop(f"OMPI_MCA_btl_{name}_backing_directory") for name in ("vader", "sm")} == {memory}
    assert found == {**OWN, "A": "of the plan", "KEPT": "of the job", "PATH": os.environ["PATH"]}
    assert node.printed(rank=5).splitlines()[-1] == str(node.directory)


def test_in_a_container_a_program_gets_the_launchers_environment(node, monkeypatch):
    """Its wrapper is in the container, too, and finds the relay where that shows it."""
    monkeypatch.setenv("OTHER", "of the launcher")
    inside = f"{node.directory}/inside"
    os.symlink(".", inside)
    node.start(WORDS, 5, inside=True, dir_inside=inside)
    assert json.loads((node.directory / f"{W1}.json").read_text())["dir"] == inside
    node.until(lambda: node.gone() == {5: 0})
    found = environment(node)
    own = {**OWN, "HPCCTR_DIR": inside, "OTHER": "of the launcher", "PMIX_RANK": "5"}
    assert own.items() <= found.items()
    assert "A" not in found


def test_without_a_container_the_directory_is_the_nodes_own(node):
    node.start(WORDS, 5, dir_inside="")
    node.until(lambda: node.gone() == {5: 0})
    assert environment(node)["HPCCTR_DIR"] == str(node.directory)


def test_an_engine_gets_a_file(node):
    node.form = "quoted"
    words = shell('echo "$0"; stat -c %a "$1"; cat "$1"')
    node.start([*words, "--join", "@ENV@"], 5)
    node.until(lambda: node.gone() == {5: 0})
    first, mode, *lines = node.printed(rank=5).splitlines()
    assert (first, mode) == ("--join", "600")
    assert {"A='of the plan'", "HPCCTR_RANK='5'"} <= set(lines)
    assert not [line for line in lines if line.startswith("PATH=")]


def test_an_engine_that_reads_plain_lines_gets_those(node):
    node.form = "plain"
    node.start([*shell('cat "$0"'), "@ENV@"], 5)
    node.until(lambda: node.gone() == {5: 0})
    assert {"A=of the plan", "HPCCTR_RANK=5"} <= set(node.printed(rank=5).splitlines())


def test_a_wrapper_without_a_relay_ends_at_once(tmp_path):
    words = [sys.executable, "-S", "-E", enter.__file__, str(tmp_path), f"/{W1}.json", "n1", ""]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env={"PMIX_RANK": "0"})
    assert done.returncode == 1
    assert f"No such file or directory: '{tmp_path}/{W1}.json'" in done.stderr


@pytest.mark.parametrize(
    ("env", "variable", "expected"),
    [
        ({"SLURM_PROCID": "3"}, "SLURM_PROCID", 3),
        ({"SLURM_PROCID": "3", "PMIX_RANK": "1"}, "SLURM_PROCID", 3),
        ({"SLURM_PROCID": "0", "OMPI_COMM_WORLD_RANK": "2"}, "", 2),
        ({"SLURM_PROCID": "0", "PMIX_RANK": "2"}, "", 2),
        ({"SLURM_PROCID": "0", "PMI_RANK": "12"}, "", 12),
        ({"PMIX_RANK": "", "PMI_RANK": "1"}, "", 1),
        ({"SLURM_PROCID": "0"}, "", None),
        ({}, "SLURM_PROCID", None),
    ],
)
def test_which_rank_a_launcher_means(monkeypatch, env, variable, expected):
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    if expected is None:
        with pytest.raises(SystemExit, match="the launcher says no rank"):
            enter.own_rank({"rank_variable": variable} if variable else {})
    else:
        assert enter.own_rank({"rank_variable": variable} if variable else {}) == expected


def test_another_nodes_directory_has_its_name(tmp_path):
    (tmp_path / "run.n2").mkdir()
    (tmp_path / "run.n2" / f"{W1}.json").write_text(json.dumps({"world": W1}))
    found = enter.read_spec(f"{tmp_path}/run", f"/{W1}.json", "n1", "n2")
    assert found == {"world": W1, "node": "n2"}
    assert [enter.suffix("n1", "n2"), enter.suffix("n2", "n2"), enter.suffix("n1", "")] == [".n2", "", ""]
