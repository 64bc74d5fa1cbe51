"""``%hpcctr`` in IPython. Nothing but its help is imported before it is used for the first time."""

from __future__ import annotations

from .manual import HELP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional, Union

    from .keeper import Keeper

RESTORE_CHARS = 8000
_keepers: list[Keeper] = []


def load(shell: Any, path: str, log: int) -> None:
    """Register the magic with IPython's ``shell``; the rest is for its ``Keeper``."""

    def keeper() -> Keeper:
        if not _keepers:
            from .keeper import Keeper

            _keepers.append(Keeper(path, log))
        return _keepers[0]

    def hpcctr(line: str, cell: Optional[str] = None) -> None:
        from .options import parse

        asked = parse(line, cell)
        if asked.what == "help":
            print(HELP)
        elif asked.what == "devices":
            from .. import devices

            print(devices.shown(path.rpartition("/")[0]))
        elif asked.what == "checkpoint":
            _checkpoint(shell, keeper(), asked)
        else:
            _restore(shell, keeper(), asked)

    def function(run: Callable[[], Any], before: Union[str, float, None]) -> None:
        from .options import seconds

        name = f"{getattr(run, '__name__', type(run).__name__)}()"
        before_s = None if before is None else seconds(before)
        _tell(name, keeper().register(run, name, before_s))

    hpcctr.__doc__ = HELP
    hpcctr._ipython_magic_no_var_expand = True  # type: ignore[attr-defined]  # braces in the code are the code's
    hpcctr.function = function  # type: ignore[attr-defined]
    shell.register_magic_function(hpcctr, "line_cell", "hpcctr")


def _checkpoint(shell: Any, keeper: Keeper, asked: Any) -> None:
    from . import code

    if asked.clear:
        _tell("", keeper.clear())
    elif asked.code:
        run = code.ready(shell, asked.code, "checkpoint")
        name = code.shown(asked.code)
        _tell(name, keeper.register(run, name, asked.before_s))
    else:
        _tell(keeper.name, keeper.status())


def _restore(shell: Any, keeper: Keeper, asked: Any) -> None:
    from . import code, words
    from .errors import UsageError

    if asked.code:
        code.ready(shell, asked.code, "restore")  # so that it is checked now
        if len(asked.code) > RESTORE_CHARS:
            raise UsageError(f"the code has more than {RESTORE_CHARS} characters", "Put it into a file and import it.")
    if asked.clear or asked.code:
        keeper.remember(asked.code)
    print(words.restore(keeper.restore))


def _tell(name: str, known: dict[str, Any]) -> None:
    import time

    from . import words

    print(words.status(name, known, time.time()))
