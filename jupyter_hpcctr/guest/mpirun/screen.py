"""Where a cell's output goes: a front end of a kernel, or a terminal."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CLEAR_LINE = "\r\x1b[2K"


class Screen:
    """The output of the cell that runs in ``shell``. ``whole_cell``: all of it is ours."""

    def __init__(self, shell: Any, whole_cell: bool = False) -> None:
        self.rich = getattr(shell, "kernel", None) is not None
        self._shell = shell
        self._whole_cell = whole_cell
        self._empty = True
        self._fleeting = ""

    def write(self, stream: str, text: str) -> None:
        """Write ``text`` to ``"stdout"`` or ``"stderr"``, in order with all else."""
        if not text:
            return
        self.vanish()
        self._empty = False
        other, this = (sys.stderr, sys.stdout) if stream == "stdout" else (sys.stdout, sys.stderr)
        other.flush()  # a kernel collects them apart
        this.write(text)

    def remark(self, text: str) -> None:
        """Show a line about the ranks that is none of what they print, and no trouble."""
        if self.rich:
            self.vanish()
            self._empty = False
            self._shell.display_pub.publish(data={"text/plain": text}, metadata={})
        else:
            self.write("stdout", text + "\n")

    def publish(self, data: dict[str, Any], metadata: dict[str, Any], display_id: str, update: bool) -> None:
        """Show a bundle, or show it in the place of the earlier one of the same ``display_id``."""
        self.vanish()
        self._empty = False
        self._publish(data, metadata, display_id, update)

    def fleeting(self, text: str) -> None:
        """Show a line that stands there until something else is shown."""
        if self.rich:
            update = bool(self._fleeting)
            self._fleeting = self._fleeting or f"mpirun-{os.urandom(8).hex()}"
            self._publish({"text/plain": text}, {}, self._fleeting, update)
        elif sys.stderr.isatty():
            self._fleeting = text
            sys.stderr.write(CLEAR_LINE + text)
            sys.stderr.flush()

    def vanish(self) -> None:
        """Take the fleeting line away."""
        if not self._fleeting:
            return
        if not self.rich:
            sys.stderr.write(CLEAR_LINE)
        elif self._empty and self._whole_cell:
            self._shell.display_pub.clear_output()  # leaves no trace in a saved notebook
        else:
            self._publish({"text/plain": ""}, {}, self._fleeting, update=True)
        self._fleeting = ""

    def _publish(self, data: dict[str, Any], metadata: dict[str, Any], display_id: str, update: bool) -> None:
        self._shell.display_pub.publish(
            data=data, metadata=metadata, transient={"display_id": display_id}, update=update
        )
