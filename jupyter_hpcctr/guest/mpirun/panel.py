"""The ranks of a notebook as widgets: where they are, what they do, and buttons that start and end them.

Everything of the panel's own is asked by a second connection to the hub, which answers while a cell runs. What is shown
changes in the thread that waits for the ranks, or in the kernel's event loop between two cells; never in a thread
of its own.
"""

from __future__ import annotations

import html
import threading
import time

from .errors import MpirunError
from .options import of_line
from .pulse import Pulse, Said
from .world import page, started

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from .options import Options

    World = dict[str, Any]

    class Ranks(Protocol):
        """What the panel needs of what the magic works with."""

        watchers: list[Callable[[], None]]

        @property
        def directory(self) -> str:
            """Where the sockets of the hub are."""

        def connect(self) -> None:
            """Make sure that there is a hub."""

        def change(self, op: str, options: Options, view: Said) -> World:
            """Start, stop or restart the ranks."""

BETWEEN_S, DURING_S = 2.0, 0.5  # from the ranks' state to the next question for it: between cells, in a cell
ANSWER_S = 0.05  # from a question to a look for its answer
ASKS = {
    "stop": ("Stop {who}? What they hold in memory is lost; the notebook's variables stay.", "Stop the ranks"),
    "restart": (
        "Restart {who}? What they hold in memory is lost; the notebook's variables stay.",
        "Restart the ranks",
    ),
}


class RankPanel:
    """State of the ranks of ``%%mpirun``, and buttons for them; it is shown like any widget.

    Parameters
    ----------
    session : Session, optional
        What the magic of this kernel works with; found by itself where it is not given.

    Raises
    ------
    MpirunError
        There is no ipywidgets here, no notebook, or no hub could be started.
    """

    def __init__(self, session: Ranks | None = None) -> None:
        kit = _kit()
        self._session = session or _session()
        self._session.connect()
        self._lock = threading.Lock()
        self._pulse = Pulse(lambda: self._session.directory)
        self._world: World = self._pulse.now()
        self._wanted = ""
        self._due = 0.0
        self._timer: Any = None
        self._build(kit)
        self._show(self._world)
        self._session.watchers.append(self.turn)
        self._loop = _loop()
        self._again()

    def close(self) -> None:
        """Take the panel away; the ranks stay."""
        if self.turn in self._session.watchers:
            self._session.watchers.remove(self.turn)
        if self._timer is not None:
            self._timer.cancel()
        self._loop = self._timer = None
        self._pulse.close()
        self.widget.close()

    def show(self) -> None:
        """Show the panel in the cell that runs."""
        from IPython.display import display

        display(self.widget)  # type: ignore[no-untyped-call]

    _ipython_display_ = show

    def _build(self, kit: Any) -> None:
        self.state = kit.HTML()
        self.message = kit.HTML()
        wide = {"description_width": "initial"}
        self.number = kit.Text(description="Number of ranks", placeholder="all that there is room for", style=wide)
        self.buttons = {
            name: kit.Button(description=text, tooltip=tip)
            for name, text, tip in (
                ("start", "Start ranks", "Start the ranks, which the first cell does otherwise"),
                ("stop", "Stop ranks …", "End the ranks; asks first"),
                ("restart", "Restart ranks …", "End the ranks and start new ones; asks first"),
                ("interrupt", "Interrupt ranks", "Interrupt the cell that runs on the ranks"),
            )
        }
        for name, button in self.buttons.items():
            button.on_click(lambda _button, name=name: self.click(name))
        _heard_at_once(self.buttons["interrupt"])
        self.question = kit.HTML()
        self.yes, self.no = kit.Button(button_style="danger"), kit.Button(description="Keep the ranks")
        self.yes.on_click(lambda _button: self.confirm())
        self.no.on_click(lambda _button: self.dismiss())
        self.confirmation = kit.VBox([self.question, kit.HBox([self.yes, self.no])])
        self.confirmation.layout.display = "none"
        buttons = kit.HBox(list(self.buttons.values()))
        buttons.layout.flex_flow = "row wrap"
        self.widget = kit.VBox([self.state, self.number, buttons, self.confirmation, self.message])

    # -- what the buttons do

    def click(self, name: str) -> None:
        """Do what a button says; what loses the ranks' variables is asked first."""
        if name in ASKS:
            question, answer = ASKS[name]
            self._wanted = name
            self.question.value = _alert(question.format(who=_who(self._world)))
            self.yes.description = answer
            self.confirmation.layout.display = ""
        elif name == "interrupt":
            self._attempt(self._interrupt)
        else:
            self._attempt(lambda: self._change(name))

    def confirm(self) -> None:
        """Do what was asked about."""
        name = self._wanted
        self.dismiss()
        if name:
            self._attempt(lambda: self._change(name))

    def dismiss(self) -> None:
        """Take the question back."""
        self._wanted = ""
        self.confirmation.layout.display = "none"

    def _attempt(self, work: Any) -> None:
        try:
            self._say("")
            work()
        except MpirunError as error:
            self._say(f"{error}. {error.hint or ''}".strip(), alert=True)
        except KeyboardInterrupt as error:
            self._say(str(error) or "interrupted", alert=True)
        self._refresh()

    def _change(self, name: str) -> None:
        number = self.number.value.strip() if name != "stop" else ""
        options = of_line(f"{name} -n {number}" if number else name)
        said = Said(self._say)
        world = self._session.change(name, options, said)
        lines = started(world) if world.get("ranks") else []
        self._say("\n".join(dict.fromkeys([*lines, *said.lines])) or "The ranks have been stopped.")

    def _interrupt(self) -> None:
        if not any(each.get("busy") for each in self._pulse.now().get("processes", {}).values()):
            self._say("No cell runs on the ranks: there is nothing to interrupt.")
            return
        self._pulse.interrupt()
        self._say("The ranks were told to stop what they do.")

    # -- what is shown

    def turn(self) -> None:
        """Show what has changed, if it is time to look; from whichever thread waits for the ranks, and never raises."""
        now = time.monotonic()
        if now < self._due or not self._lock.acquire(blocking=False):
            return
        try:
            world = self._pulse.latest()
            self._due = now + (ANSWER_S if self._pulse.waits else DURING_S)
            if world is not None:
                self._show(world)
        except Exception as error:  # a cell's output must not suffer from a panel beside it
            self._due = float("inf")
            self._say(f"The panel does not follow the ranks any more: {error!r}", alert=True)
        finally:
            self._lock.release()

    def _again(self) -> None:
        if self._loop is not None:
            self._timer = self._loop.call_later(ANSWER_S if self._pulse.waits else BETWEEN_S, self._between)

    def _between(self) -> None:
        self.turn()
        self._again()

    def _refresh(self) -> None:
        with self._lock:
            self._show(self._pulse.now())

    def _show(self, world: World) -> None:
        if world == self._world and self.state.value:
            return
        self._world = world
        self.state.value = page(world)
        state = world.get("state", "none")
        for name, button in self.buttons.items():
            button.disabled = (state == "running") if name == "start" else state in ("none", "starting")

    def _say(self, text: str, alert: bool = False) -> None:
        lines = html.escape(text).replace("\n", "<br>")
        self.message.value = _alert(text) if alert else f'<div role="status">{lines}</div>' if text else ""


def _who(world: World) -> str:
    number = int(world.get("ranks") or 0)
    return f"the {number} ranks" if number > 1 else "the rank" if number else "the ranks"


def _alert(text: str) -> str:
    return f'<div role="alert">{html.escape(text)}</div>' if text else ""


def _heard_at_once(button: Any) -> None:
    """Have clicks come while a cell runs, where the front end sends them to a subshell of the kernel.

    ipykernel 7.4 hands them to the shell in which the button was changed last instead, which waits for the cell.
    """
    comm: Any = getattr(button, "comm", None)
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = None


def _kit() -> Any:
    """Return ipywidgets. Raises ``MpirunError``."""
    try:
        import ipywidgets  # type: ignore[import-untyped]

        return ipywidgets
    except ImportError:
        raise MpirunError(
            "the panel needs ipywidgets, which the environment of this kernel does not have",
            "Add it to the image, or use %mpirun status, start, stop and restart.",
        ) from None


def _session() -> Ranks:
    """Return what the magic of this kernel works with. Raises ``MpirunError``."""
    from IPython import get_ipython

    shell: Any = get_ipython()
    if shell is None:
        raise MpirunError("the panel needs a kernel of IPython", "Make it in a notebook's cell.")
    if not hasattr(shell.find_line_magic("mpirun"), "session"):
        shell.run_line_magic("load_ext", "jupyter_hpcctr")
    session: Ranks = shell.find_line_magic("mpirun").session()
    return session


def _loop() -> Any:
    """Return the event loop that the kernel runs in this thread, None where there is none."""
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
