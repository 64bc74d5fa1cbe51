"""Wraps each process that is started as a rank: ``python -S -E enter.py SPEC_PATH REST FIRST_NODE NODE_VARIABLE``.

It runs under the launcher (a scheduler's, mpiexec) on the host, or inside a container where the launcher is the
image's own. It gives the process its environment, makes two FIFOs for what it prints, tells the node's
relay of both, lets the process join the container, and reports how it ended. ``SPEC_PATH`` and ``REST`` are the
path of a JSON file, with nothing between them on the first node and ``.NAME`` on any other. ``NODE_VARIABLE`` is the
name of the variable that has the node's name, "" where there is one node.

The spec's keys: ``world``, ``ranks``, ``argv``, ``rank_variable`` (where a scheduler's step starts us), ``dir`` (with
the FIFOs and the relay's ``door``, as seen from here), ``dir_inside`` (the same as the process sees it, "" where that
is no other), ``cwd``, ``env``, ``image_env``, ``pass_env``, ``drop_env``, ``shared_memory`` (a directory for MPI's,
"" for none), and ``inside``: whether the container is around us already, so that our own environment is the
process's. Else ``environment`` says how the process gets its own (``protocol.container``), and ``env_file`` what
stands for the path of its file in ``argv``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time

if __package__:
    from .. import environment
    from . import offspring
else:  # run as a file, as launchers do
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    import environment  # type: ignore[import-not-found,no-redef,unused-ignore]
    from mpirun import offspring  # type: ignore[import-not-found,no-redef,unused-ignore]

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing would be 20 modules more for every rank
    from typing import Any

LAST_WORDS_S = 2.0  # a launcher that sees a rank fail ends the others, who are to say first where they stood
OPEN_PATIENCE_S = 30
OFFSPRING_S = 2.0
_NEEDED = ("PATH", "LD_LIBRARY_PATH")  # by a program without a container, to find the host's MPI
# Where Open MPI 4, Open MPI 5 and UCX put what the ranks of a node share; killed ranks leave it behind.
_SHARED_MEMORY = ("OMPI_MCA_btl_vader_backing_directory", "OMPI_MCA_btl_sm_backing_directory", "UCX_POSIX_DIR")
_RANK_VARIABLES = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK")


def main(argv: list[str]) -> int:
    """Run one process as a rank; return its exit status, or 128 and the signal that ended it."""
    spec = read_spec(argv[1], argv[2], argv[3], os.environ.get(argv[4], ""))
    rank = own_rank(spec)
    stdio = Stdio(spec, rank)
    program, env = prepare(spec, rank, stdio.token)
    pid, ended = 0, False

    def pass_on(signum: int, frame: object) -> None:
        nonlocal ended
        ended = True
        if pid:
            os.kill(pid, signal.SIGKILL)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    offspring.adopt()
    try:
        pid = stdio.start(program, env)
    except OSError as error:
        os.write(stdio.err, f"{error.filename or program[0]}: {error.strerror}\n".encode())
        status = 127 if isinstance(error, FileNotFoundError) else 126
    else:
        stdio.announce(event="enter", pid=pid)
        if ended:  # before there was anybody to pass it on to
            os.kill(pid, signal.SIGKILL)
        offspring.await_end(pid)  # not waited for, its number stays its own
        process, pid = pid, 0  # SIGTERM may come when the number is free, or another's
        with contextlib.suppress(ProcessLookupError):  # what it has started goes with it
            os.killpg(process, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        offspring.end_children(OFFSPRING_S)
    stdio.announce(event="exit", status=status)
    stdio.close()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if status != 0:
        time.sleep(LAST_WORDS_S)
    return status if status >= 0 else 128 - status


def read_spec(path: str, rest: str, first: str, node: str) -> dict[str, Any]:
    """Read what is to be run on a node.

    Raises
    ------
    OSError, ValueError
        Nobody wrote it: the launcher put a rank where no relay is.
    """
    with open(f"{path}{suffix(first, node)}{rest}", encoding="utf-8") as file:
        spec: dict[str, Any] = json.load(file)
    return {**spec, "node": node}


def suffix(first: str, node: str) -> str:
    """Return what tells a node's private directory from the first node's, whose disk may be the same."""
    return "" if node in ("", first) else f".{node}"


def own_rank(spec: dict[str, Any]) -> int:
    """Return the rank that the launcher gave this process: a scheduler's step, mpiexec(1) of Open MPI and MPICH."""
    # A job script's own number in its step says nothing of what an mpiexec in it starts.
    names = (*filter(None, [spec.get("rank_variable")]), *_RANK_VARIABLES)
    for name in names:
        value = os.environ.get(name, "")
        if value.isdecimal():
            return int(value)
    raise SystemExit("the launcher says no rank: none of " + ", ".join(names) + " is set")


def prepare(spec: dict[str, Any], rank: int, token: str) -> tuple[list[str], dict[str, str]]:
    """Return the words and the environment for the process; an engine that reads a file gets one."""
    own = {
        "HPCCTR_WORLD": spec["world"],
        "HPCCTR_RANK": str(rank),
        "HPCCTR_RANKS": str(spec["ranks"]),
        "HPCCTR_TOKEN": token,
        "HPCCTR_DIR": spec["dir_inside"] or spec["dir"],
        "HPCCTR_NODE": spec["node"],
    }
    memory = dict.fromkeys(_SHARED_MEMORY, spec["shared_memory"]) if spec.get("shared_memory") else {}
    if spec["inside"]:
        return spec["argv"], {**os.environ, **memory, **own}
    plan_env = {**memory, **spec["env"], **own}
    env = environment.compose(plan_env, os.environ, spec["pass_env"], spec["drop_env"], spec.get("image_env"))
    if spec["environment"] == "process":
        return spec["argv"], {name: os.environ[name] for name in _NEEDED if name in os.environ} | env
    path = f"{spec['dir']}/{spec['world']}.{rank}.env"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(environment.lines(env, quoted=spec["environment"] == "quoted"))
    own = {name: value for name, value in os.environ.items() if name != "TMPDIR"}  # engines show it as /tmp
    return [word.replace(spec["env_file"], path) for word in spec["argv"]], own


class Stdio:
    """The two FIFOs of a rank, and the door of the relay that reads them."""

    def __init__(self, spec: dict[str, Any], rank: int) -> None:
        self.token = os.urandom(16).hex()
        self._world, self._rank = spec["world"], rank
        self._door = os.open(f"{spec['dir']}/door", os.O_WRONLY | os.O_CLOEXEC)
        base = f"{spec['dir']}/{spec['world']}.{rank}"
        names = (f"{base}.out", f"{base}.err")
        for name in names:
            os.mkfifo(name, 0o600)
        self._cwd = spec["cwd"]
        self.announce(event="open", pid=os.getpid(), token=self.token)
        signal.alarm(OPEN_PATIENCE_S)  # a relay that is gone would let us wait for ever
        self.out, self.err = (os.open(name, os.O_WRONLY | os.O_CLOEXEC) for name in names)
        signal.alarm(0)
        for name in names:
            os.unlink(name)

    def announce(self, **what: Any) -> None:
        """Tell the relay; a line shorter than PIPE_BUF is written whole (pipe(7))."""
        line = json.dumps({"world": self._world, "rank": self._rank, **what}) + "\n"
        os.write(self._door, line.encode())

    def start(self, argv: list[str], env: dict[str, str]) -> int:
        """Start the process with nothing to read and the FIFOs to write to; return its id."""
        os.chdir(self._cwd)
        actions = (
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, self.out, 1),
            (os.POSIX_SPAWN_DUP2, self.err, 2),
        )
        defaults = (signal.SIGINT, signal.SIGPIPE)
        return os.posix_spawnp(argv[0], argv, env, file_actions=actions, setsigdef=defaults, setpgroup=0)

    def close(self) -> None:
        """Let the relay see the end of both."""
        os.close(self.out)
        os.close(self.err)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
