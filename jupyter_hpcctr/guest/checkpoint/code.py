"""Code that is kept for later: checked when it is given, run in the notebook's namespace."""

from __future__ import annotations

import linecache

from .errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Callable, Optional

SHOWN = 60


def ready(shell: Any, text: str, name: str) -> Callable[[], None]:
    """Return what runs a piece of the notebook's code.

    Parameters
    ----------
    shell : InteractiveShell
        Whose magics and variables it uses.
    name : str
        What tracebacks call it.

    Raises
    ------
    UsageError
        It is no Python, or awaits something: what is run in the midst of a cell cannot wait.
    """
    source = shell.transform_cell(text)
    file = f"<{name}>"
    try:
        made = compile(source, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = f" (line {error.lineno})" if error.lineno and "\n" in text.strip() else ""
        raise UsageError(f"the code is not valid: {error.msg}{line}", "Nothing was registered.") from None

    def run() -> None:
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)  # for tracebacks
        exec(made, shell.user_ns)  # noqa: S102  (it is the user's)

    return run


def frames(error: BaseException) -> Optional[TracebackType]:
    """Return an error's traceback without what is ours: the caller's frame, and that of ``ready``."""
    found = error.__traceback__ and error.__traceback__.tb_next
    return found.tb_next if found and found.tb_frame.f_code.co_filename == __file__ else found


def shown(text: str) -> str:
    """Return code in one line, cut."""
    first, *more = text.strip().splitlines() or [""]
    return first if len(first) <= SHOWN and not more else f"{first[:SHOWN]} …"
