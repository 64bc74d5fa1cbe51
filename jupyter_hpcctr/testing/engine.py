"""What every engine must keep, as a pytest class to be subclassed: programs in real containers, and what they see."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from ..core.job import Output
from ..core.seams import Engine
from ..errors import EngineError
from ..protocol.container import Mount
from .bench import SECRET, Bench
from .node import Node, leftovers
from .programs import PEEK, SIGNALLED, STUBBORN, WAIT
from .seen import broken_promises, look
from .waiting import PATIENCE_S, content, is_running, until

WORDS = ("a b", " c\t", 'it\'s "so"', "a\nb", "$(x) `x` $HOME", "-x", "--", "", "😀", "a,b:c=d", "\\", "*")
NAMES = ("a b", "a,b", "a:b", "it's", 'a"b', "a\nb", "-a", "a=b", "😀", "$(x)", "*", "%s", "back\\slash", "#a")
ENDS = (signal.SIGTERM, signal.SIGKILL)


class EngineContract:
    """For an engine that runs programs as they are; those that run images take ``ImageEngineContract``.

    Attributes
    ----------
    engine : Engine
        The engine. Every subclass gives it.
    marks : frozenset of str
        Names of the variables by which it tells programs that they are in a container.
    refused : frozenset of (str, str)
        Which names its ``check`` refuses, for which role (``roles``): those that it has no way to write down.
    driver : type of Node
        What starts its containers.
    patience_s : float
        Seconds to wait for what programs do.
    """

    engine: ClassVar[Engine]
    marks: ClassVar[frozenset[str]] = frozenset()
    refused: ClassVar[frozenset[tuple[str, str]]] = frozenset()
    driver: ClassVar[type[Node]] = Node
    patience_s: ClassVar[float] = PATIENCE_S
    roles: ClassVar[tuple[str, ...]] = ("run", "workdir")
    """What can have an awkward name: the run directory, the work directory; a mount's ends and the image."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Try each name in each role."""
        if {"role", "name"} <= set(metafunc.fixturenames):
            metafunc.parametrize("name", NAMES)
            metafunc.parametrize("role", self.roles)

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Bench:
        """Makes the test's nodes."""
        return Bench(self.engine, None, tmp_path, driver=self.driver)

    def mounted(self, bench: Bench) -> tuple[Mount, ...]:
        """Return what is mounted where a case does not care what; the first one's target is the work directory."""
        return ()

    def until(self, condition: Callable[[], object], what: object) -> None:
        """Wait until a condition holds."""
        until(condition, what, patience_s=self.patience_s)

    def content(self, path: Path) -> str:
        """Wait for a file with something in it, and return its text."""
        return content(path, patience_s=self.patience_s)

    def seen(self, bench: Bench, run: Callable[[Sequence[str]], Output], node: Node) -> None:
        """Look around in a container, and compare."""
        inside = look(run, python=bench.python, words=WORDS)
        assert broken_promises(inside, node, words=WORDS, marks=self.marks) == []
        for mount in self.mounted(bench):
            mark = f"{mount.target}/mark"
            assert run(("cat", mark)).stdout == Path(mount.source, "mark").read_text(encoding="utf-8")

    def test_a_command_keeps_every_promise(self, bench: Bench) -> None:
        mounts = self.mounted(bench)
        with bench.node(mounts=mounts, workdir=mounts[0].target if mounts else None) as node:
            self.seen(bench, node.command, node)

    def test_a_joined_program_keeps_every_promise(self, bench: Bench) -> None:
        mounts = self.mounted(bench)
        with bench.node(mounts=mounts, workdir=mounts[0].target if mounts else None) as node:
            bench.hold(node)
            self.seen(bench, node.join, node)
            namespaces = look(node.join, python=bench.python)["namespaces"]
            assert {n: str(Path(f"/proc/{node.holder_pid}/ns/{n}").readlink()) for n in namespaces} == namespaces
            assert look(node.join, python=bench.python)["namespaces"] == namespaces
            assert (namespaces["mnt"] == str(Path("/proc/self/ns/mnt").readlink())) is (bench.image is None)

    def test_a_rank_keeps_every_promise(self, bench: Bench) -> None:
        """It has an environment file of its own, and its launcher's environment."""
        mounts = self.mounted(bench)
        with bench.node(mounts=mounts, workdir=mounts[0].target if mounts else None) as node:
            bench.hold(node)
            self.seen(bench, node.enter, node)

    def test_of_the_jobs_environment_only_what_the_site_passes_on_is_seen(self, bench: Bench) -> None:
        with bench.node() as node:
            bench.hold(node)
            for run in (node.command, node.join, node.enter):
                env = look(run, python=bench.python)["env"]
                assert SECRET not in env.values()
                assert "OF_THE_JOB" not in env
                assert (env["SLURM_JOB_ID"], env["LC_TIME"]) == ("4711", "of the job")
                assert (env["OF_THE_IMAGE"], env["A"]) == ("yes", "it's '")

    def test_the_environment_file_is_read_at_each_join(self, bench: Bench) -> None:
        with bench.node() as node:
            bench.hold(node)
            node.env["LATER"] = "set after the holder was started"
            assert broken_promises(look(node.join, python=bench.python), node, marks=self.marks) == []

    def test_the_hosts_tmp_is_there_whatever_tmpdir_says(self, bench: Bench, tmp_path: Path) -> None:
        (tmp_path / "mark").write_text("host")
        with bench.node() as node:
            assert node.command(("cat", str(tmp_path / "mark"))).stdout == "host"

    def test_exit_statuses_and_both_outputs_come_through(self, bench: Bench) -> None:
        with bench.node() as node:
            bench.hold(node)
            for run in (node.command, node.join):
                out = run(("sh", "-c", "echo out; echo err >&2; exit 7"))
                assert (out.returncode, out.stdout) == (7, "out\n")
                assert out.stderr.splitlines()[-1] == "err"

    def test_signals_reach_a_joined_program(self, bench: Bench) -> None:
        with bench.node() as node:
            bench.hold(node)
            program = node.begin((bench.python, "-c", SIGNALLED, bench.kernel_dir))
            self.content(bench.outside("ready"))
            heard, expected = bench.outside("heard"), ""
            heard.touch()
            for signum in (signal.SIGINT, signal.SIGUSR1, signal.SIGINT, signal.SIGTERM):
                program.signal(signum)
                expected += f"{int(signum)}\n"
                self.until(partial(_says, heard, expected), heard.read_text)
            assert program.ended(patience_s=self.patience_s)
            assert program.code == 5
            assert node.holder is not None and node.holder.code is None

    def test_a_restart_leaves_no_process_of_the_old_program(self, bench: Bench) -> None:
        with bench.node() as node:
            bench.hold(node)
            old = node.begin((bench.python, "-c", STUBBORN, bench.kernel_dir, "old"))
            pids = [int(pid) for pid in self.content(bench.outside("old")).split()]
            assert len(pids) == 2 and all(map(is_running, pids))
            old.end(patience_s=0)
            self.until(lambda: not any(map(is_running, pids)), f"of {pids} one is left")
            node.begin((bench.python, "-c", STUBBORN, bench.kernel_dir, "new"))
            assert self.content(bench.outside("new"))
            assert node.holder is not None and node.holder.code is None

    def test_joined_programs_read_one_anothers_memory(self, bench: Bench) -> None:
        with bench.node() as node:
            bench.hold(node)
            for name in ("first", "second"):
                waiting = node.begin((bench.python, "-c", WAIT, f"{bench.kernel_dir}/{name}"))
                address = self.content(bench.outside(name)).split()
                assert node.join((bench.python, "-c", PEEK, *address)).stdout == "seen from the other rank\n"
                waiting.end(patience_s=0)

    @pytest.mark.parametrize("signum", ENDS)
    def test_ending_the_holder_leaves_no_process_and_no_mount(self, bench: Bench, signum: int) -> None:
        with bench.node() as node:
            bench.hold(node)
            assert leftovers(node)
            node.end(signum)
            self.until(lambda: leftovers(node) == [], lambda: leftovers(node))

    @pytest.mark.parametrize("signum", ENDS)
    def test_the_parked_program_ends_with_the_engines_command(self, bench: Bench, signum: int) -> None:
        with bench.node() as node:
            bench.hold(node)
            node.end(signum, group=False)
            self.until(lambda: leftovers(node) == [], lambda: leftovers(node))

    def test_the_holder_ends_when_whoever_started_it_is_killed(self, bench: Bench) -> None:
        # The agent is killed by SIGKILL when a job ends hard: it cannot tell the holder.
        with bench.node() as node:
            parent = node.hold_below(*bench.holder())
            os.kill(parent.pid, signal.SIGKILL)
            self.until(lambda: leftovers(node) == [], lambda: leftovers(node))

    def test_awkward_names_work_or_are_refused_before_launch(self, bench: Bench, role: str, name: str) -> None:
        node, workdir = self.named(bench, role, name)
        if (role, name) in self.refused:
            with pytest.raises(EngineError) as refusal:
                node.check()
            assert refusal.value.hint
            return
        with node:
            parked = 'echo $$ > "$1.new"; mv "$1.new" "$1"; exec sleep 600'
            node.hold(("sh", "-c", parked, "sh", f"{bench.kernel_dir}/holder.pid"), bench.outside("holder.pid"))
            for run in (node.command, node.join):
                out = run(("sh", "-c", "cat mark; pwd"))
                assert (out.stdout, out.stderr) == (f"here{workdir}\n", "")

    def named(self, bench: Bench, role: str, name: str) -> tuple[Node, str]:
        """Return a node in which ``role`` has an awkward name, and its work directory, in which there is a mark."""
        source = bench.place / (name if role in ("source", "workdir") else "plain")
        source.mkdir()
        (source / "mark").write_text("here")
        image_path = None
        if role == "image" and bench.image is not None:
            (bench.place / name).symlink_to(bench.image.path)
            image_path = str(bench.place / name)
        mounts: tuple[Mount, ...] = ()
        if role in ("source", "target"):
            below = Path(bench.rooms()[0]).parent
            mounts = (Mount(str(source), f"{below}/{name if role == 'target' else 'plain'}"),)
        workdir = mounts[0].target if mounts else str(source)
        run = name if role == "run" else "run"
        return bench.node(run=run, mounts=mounts, workdir=workdir, image_path=image_path), workdir


def _says(path: Path, text: str) -> bool:
    return path.read_text() == text
