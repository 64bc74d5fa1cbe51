"""The IPython of a rank: cells run in it one after the other, and what they show is handed over as messages.

IPython is imported when the shell is made. The classes here are the halves that are ours; ``make`` puts them
before IPython's.
"""

from __future__ import annotations

import linecache
import os
import sys
import warnings

from . import failures, stacks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, Callable, Optional

    from IPython.core.compilerop import CachingCompiler
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

    from .failures import Failure

    Show = Callable[[str, dict[str, Any]], None]
    """Called with the kind of a message and its content."""
else:
    CachingCompiler = DisplayHook = DisplayPublisher = InteractiveShell = object

_WIDGET = "application/vnd.jupyter.widget-view+json"


class Compiler(CachingCompiler):
    """Names code after its cell. ``cells`` has the numbers by the names."""

    cells: dict[str, int]

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        """Return a name that stays the code's own: linecache knows its lines by it."""
        name = f"<cell {number}>"
        known = linecache.getlines(name)
        if known and known != [f"{line}\n" for line in transformed_code.splitlines()]:
            name = f"<cell {number}, {hash(transformed_code) & 0xFFFFFFFF:08x}>"
        self.cells[name] = number
        return name


class Publisher(DisplayPublisher):
    """What ``display`` is given becomes a message."""

    show: Show

    def publish(
        self, data: Any, metadata: Any = None, *_: object, transient: Any = None, update: bool = False, **__: object
    ) -> None:
        """Send ``display_data``, or ``update_display_data``."""
        content = {"data": bundle(data), "metadata": bundle(metadata or {}), "transient": transient or {}}
        self.show("update_display_data" if update else "display_data", content)

    def clear_output(self, wait: bool = False) -> None:
        """Send ``clear_output``."""
        self.show("clear_output", {"wait": bool(wait)})


class Hook(DisplayHook):
    """The value of a cell's last expression becomes a message."""

    show: Show

    def write_output_prompt(self) -> None:
        """Leave the prompt to the front end."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        """Send ``execute_result``."""
        content = {"execution_count": self.prompt_count, "data": bundle(format_dict), "metadata": bundle(md_dict or {})}
        self.show("execute_result", content)

    def finish_displayhook(self) -> None:
        """Write nothing more."""
        self._is_active = False


class Shell(InteractiveShell):
    """Runs cells and says how they failed."""

    caught: Optional[Failure] = None
    began: Callable[[], None]
    _stopping = False
    _loop: Any = None
    _tasks_loop: Any = None

    def run(self, code: str, cell: int) -> Failure | None:
        """Run a cell; return how it failed, None where it did not.

        Raises
        ------
        KeyboardInterrupt
            It came when no line of the user's was running.
        """
        self.caught, self._stopping = None, False
        self.execution_count = cell
        result: Any = self.run_cell(code, store_history=True)  # type: ignore[no-untyped-call,unused-ignore]
        errors = [error for error in (result.error_before_exec, result.error_in_exec) if error is not None]
        if errors and self.caught is None:
            return self.described(errors[0])
        return self.caught  # maybe without an error: %%time and %run show theirs, and go on

    @property
    def cells(self) -> dict[str, int]:
        """The numbers of all cells that have run, by the names of their code."""
        compiler: Any = self.compiler_class
        cells: dict[str, int] = compiler.cells
        return cells

    async def run_code(self, *args: Any, **kwargs: Any) -> Any:
        """Run code of the user's; until then nothing is interrupted, for IPython may lose what it catches."""
        self.began()
        return await super().run_code(*args, **kwargs)  # type: ignore[no-untyped-call,unused-ignore]

    def stands(self, thread: int) -> list[str]:
        """Return where a thread stands in the user's code; its awaits, where it is in none."""
        lines = stacks.where(thread, self.cells)
        if not lines and self._loop is not None:
            asyncio = sys.modules["asyncio"]
            lines = stacks.waiting(asyncio.all_tasks(self._loop), self.cells)
        return lines

    def described(self, error: BaseException) -> Failure:
        """Describe an exception that was shown nowhere."""
        trace = failures.from_cell(error.__traceback__, self.cells)
        if failures.is_group(error):
            return failures.plain(error, self.cells)
        if isinstance(error, KeyboardInterrupt) and not failures.in_cell(trace, self.cells):
            return failures.failure(error, ["KeyboardInterrupt: when no line of the cell was running"])
        try:
            lines = self.InteractiveTB.structured_traceback(type(error), error, trace, tb_offset=0)
        except Exception:  # as IPython says: "unexpected exception formatting exception"
            return failures.plain(error, self.cells)
        return self._renamed(failures.failure(error, list(lines)), error)

    def _renamed(self, failure: Failure, error: BaseException) -> Failure:
        if isinstance(error, SystemExit):
            failure["evalue"] = failures.exit_text(error)
            failure["traceback"][-1:] = [f"SystemExit: {failure['evalue']}"]
        elif self._stopping and type(error).__name__ == "CancelledError":  # how a task is interrupted
            failure.update(ename="KeyboardInterrupt", evalue="")
            failure["traceback"][-1:] = ["KeyboardInterrupt: "]
        return failure

    def showtraceback(self, exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:
        """Note how the cell failed. ``%tb`` shows what is long past: that is printed."""
        error = exc_tuple[1] if exc_tuple else failures.current()
        last: BaseException | None = getattr(sys, "last_value", None)
        if error is None:
            print("There was no exception." if last is None else "\n".join(self.described(last)["traceback"]))
            return
        failures.without_ours(error)
        left_out = failures.shorten(error)
        if isinstance(error, (SystemExit, KeyboardInterrupt)) or failures.is_group(error):
            self._get_exc_info(exc_tuple)  # type: ignore[no-untyped-call,unused-ignore]  # for %tb
            self._note(self.described(error))
        else:
            super().showtraceback(exc_tuple, *args, **kwargs)
        if left_out and self.caught is not None:
            self.caught["traceback"].insert(-1, f"… {left_out} calls in the middle are not shown …")

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        lines = stb.splitlines() if isinstance(stb, str) else [str(line) for line in stb]
        self._note(self._renamed({**failures.failure(evalue, lines), "ename": etype.__name__}, evalue))

    def show_usage_error(self, exc: Any) -> None:
        """Note the wrong use of a magic."""
        self._note(failures.failure(exc, [f"UsageError: {exc}"]))

    def _format_exception_for_storage(self, exception: Any, *_: object, **__: object) -> Any:
        return self.caught or failures.failure(exception, [])  # IPython would format the whole traceback again

    def _note(self, failure: Failure) -> None:
        if self.caught is not None:  # the cell went on behind it
            print("\n".join(self.caught["traceback"]), file=sys.stderr)
        self.caught = failure

    def ask_exit(self) -> None:
        """Do what ``exit`` and ``quit`` of IPython ask for."""
        __tracebackhide__ = True
        raise SystemExit

    def enable_gui(self, gui: Any = None) -> None:
        """Let ``%matplotlib inline`` be; there is no other event loop.

        Raises
        ------
        ValueError
            Another one is asked for.
        """
        if gui not in (None, "", "inline"):
            raise ValueError(f"ranks have no window for {gui!r}: use '%matplotlib inline'")

    def run_async(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a cell that awaits; one that is interrupted does not go on with the next."""
        import asyncio

        if self._tasks_loop is None or self._tasks_loop.is_closed():
            self._tasks_loop = asyncio.new_event_loop()
        self._loop = loop = self._tasks_loop
        task = loop.create_task(coroutine)
        try:
            return loop.run_until_complete(task)
        except KeyboardInterrupt:
            if task.done():
                raise
            self._stopping = True
            task.cancel()
            return loop.run_until_complete(task)
        finally:
            self._loop = None

    def init_completer(self) -> None:
        """Leave completion to whoever asks for it: it is a tenth of IPython's start, and nobody types in a rank."""

    def __getattr__(self, name: str) -> Any:
        if name != "Completer":
            raise AttributeError(name)
        super().init_completer()  # type: ignore[no-untyped-call,unused-ignore]
        return self.__dict__[name]

    def init_history(self) -> None:
        """Keep history in memory: ranks have no database to fight about."""
        from IPython.core.history import HistoryManager

        manager: Any = HistoryManager(shell=self, parent=self, enabled=False)
        self.history_manager = manager
        self.configurables.append(manager)


def bundle(data: Any) -> Any:
    """Return a MIME bundle as it is in Jupyter's messages: bytes as base64, keys as text.

    A widget is left out where there is another form of it: its model is in no kernel that a front end could ask.
    """
    if isinstance(data, (bytes, bytearray, memoryview)):
        import binascii

        return binascii.b2a_base64(data, newline=False).decode()
    if isinstance(data, dict):
        alone = len(data) == 1
        return {str(key): bundle(value) for key, value in data.items() if key != _WIDGET or alone}
    if isinstance(data, (list, tuple)):
        return [bundle(item) for item in data]
    return data


def make(show: Show, began: Callable[[], None]) -> Shell:
    """Make the one shell of this process.

    Parameters
    ----------
    show
        Called with each message of ``display``.
    began
        Called when code of the user's is about to run; may raise KeyboardInterrupt.
    """
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as ipykernel does
    from IPython.core import compilerop, displayhook, displaypub, interactiveshell

    members = {
        "display_pub_class": type("Publisher", (Publisher, displaypub.DisplayPublisher), {"show": staticmethod(show)}),
        "displayhook_class": type("Hook", (Hook, displayhook.DisplayHook), {"show": staticmethod(show)}),
        "compiler_class": type("Compiler", (Compiler, compilerop.CachingCompiler), {"cells": {}}),
        "began": staticmethod(began),
    }
    kind: Any = type("Shell", (Shell, interactiveshell.InteractiveShell), members)
    sys.argv, sys.path[:0] = [""], [""]  # a cell's imports begin where it runs
    shell: Shell = kind.instance()
    shell.loop_runner = shell.run_async
    warnings.filterwarnings("ignore", message="To exit: use 'exit'")  # said of sys.exit by IPython
    return shell
