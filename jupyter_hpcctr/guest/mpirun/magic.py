"""``%%mpirun`` in IPython. Nothing but its help is imported before it is used for the first time."""

from __future__ import annotations

from .manual import HELP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


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
