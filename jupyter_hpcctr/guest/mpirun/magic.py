"""``%%mpirun`` in IPython. Nothing else is imported before it is used for the first time."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

HELP = """Run a cell, or a program, on MPI ranks that stay.

    %%mpirun [options]         the cell's code runs on every rank; variables stay for later cells
    %%mpirun --exec [options]  the cell is a shell script, which is run once for each rank

    %mpirun start [options]    start the ranks, which the first cell does otherwise
    %mpirun stop               end them
    %mpirun restart [options]  end them and start new ones
    %mpirun status             show where they are, and what they do
    %mpirun panel              show that as widgets, with buttons to start, stop, restart and interrupt them
    %mpirun push NAME...       copy variables of the notebook to every rank
    %mpirun pull NAME          return the value of a variable of every rank, as a list by rank
    %mpirun run [options] PROGRAM ARGUMENTS...      run an MPI program on ranks of its own

Options of cells; the sizes also of start, restart, push and run:

    -n, --ranks N         number of ranks; all that the allocation holds if not given
    --ranks-per-node N    number of ranks on each node
    --oversubscribe       more ranks than there are slots
    --fresh               end the ranks that run and start new ones first
    --pmi NAME            how the launcher and MPI find each other (pmix, pmi2), for experts

Options of cells:

    --rank LIST           only these ranks run the cell, as in 0,3-5 (also: push, pull)
    --timeout SECONDS     interrupt the ranks when they take longer (also: run)
    --collect VARIABLE    afterwards bind it in the notebook to a list of its values by rank
    --quiet               no output, except errors (also: run)
    --exec                the cell is a shell script

What ranks print appears while they run; what many print alike appears once, with their numbers. When a
rank fails the cell ends, its traceback is shown, and it is said where the others stood. Interrupting the
cell interrupts the ranks; doing so twice ends them. The notebook's own variables are never touched.

Examples:

    %%mpirun -n 4
    from mpi4py import MPI
    comm = MPI.COMM_WORLD
    print(f"{comm.rank} of {comm.size}")

    %%mpirun --rank 0 --timeout 60
    result = slow(u)

    %mpirun push u v
    parts = %mpirun pull u
    first = %mpirun pull u --rank 0
    %mpirun run -n 8 ./solver -ksp_type cg -n 100
"""


def load(shell: Any, find: Callable[[], str]) -> None:
    """Register the magic with IPython's ``shell``.

    ``find`` makes sure that a hub runs and returns the directory of its sockets; when it raises, the text
    is shown to the user.
    """
    sessions: list[Any] = []  # none before the first use

    def session() -> Any:
        if not sessions:
            from .session import Session

            sessions.append(Session(shell, find))
        return sessions[0]

    def mpirun(line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:
        if cell is not None:
            return session().cell(line, cell)
        return session().line(line, local_ns or {})

    def close() -> None:
        while sessions:
            sessions.pop().close()

    unload(shell)
    mpirun.__doc__ = HELP
    mpirun.needs_local_scope = True  # type: ignore[attr-defined]  # or IPython keeps local_ns
    mpirun.session, mpirun.close = session, close  # type: ignore[attr-defined]
    shell.register_magic_function(mpirun, "line_cell", "mpirun")
    _add_completion(shell)


def unload(shell: Any) -> None:
    """Take the magic away again; nothing if it is not there."""
    for kind in ("line", "cell"):
        magic = shell.magics_manager.magics[kind].get("mpirun")
        if hasattr(magic, "close"):
            del shell.magics_manager.magics[kind]["mpirun"]
            magic.close()
    matchers = getattr(shell.Completer, "custom_matchers", [])
    matchers[:] = [each for each in matchers if getattr(each, "matcher_identifier", "") != _IDENTIFIER]


_IDENTIFIER = "jupyter_hpcctr.mpirun"


def _add_completion(shell: Any) -> None:
    def words(text: str) -> list[str] | None:
        from .complete import words

        return words(text, shell.user_ns)

    def matcher(context: Any) -> dict[str, Any]:
        found = words(context.line_with_cursor[: context.cursor_position]) if "mpirun" in context.full_text else None
        if not found:
            return {"completions": [], "suppress": False}
        from IPython.core.completer import SimpleCompletion

        return {
            "completions": [SimpleCompletion(text=each, type="param") for each in found],
            "matched_fragment": context.text_until_cursor.rpartition(" ")[2],
            "suppress": True,  # jedi would offer Python's names
            "ordered": True,
        }

    def hook(_shell: Any, event: Any) -> list[str]:
        return words(event.text_until_cursor) or []

    if hasattr(shell.Completer, "custom_matchers"):
        matcher.matcher_api_version = 2  # type: ignore[attr-defined]
        matcher.matcher_identifier = _IDENTIFIER  # type: ignore[attr-defined]
        matcher.matcher_priority = 1000  # type: ignore[attr-defined]
        shell.Completer.custom_matchers.append(matcher)
    else:  # IPython before 8.6
        for key in ("%mpirun", "%%mpirun"):
            shell.set_hook("complete_command", hook, str_key=key)
