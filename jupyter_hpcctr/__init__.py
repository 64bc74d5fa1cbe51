"""Jupyter kernels inside OCI images on HPC nodes, through the site's own scheduler.

The rooms of this package, and what each may import, are drawn in ``docs/architecture.md``.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Name the module of the Jupyter server's extension."""
    return [{"module": "jupyter_hpcctr.server.app"}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Say where the built extension of JupyterLab is, and by which name it goes."""
    return [{"src": "_lab", "dest": "jupyter-hpcctr"}]


def load_ipython_extension(ipython: Any) -> None:
    """Register ``%%mpirun`` (``%load_ext jupyter_hpcctr``): nothing to do in a kernel that we have launched."""
    import sys

    door = sys.modules.get("_hpcctr_guest.mpirun.door")
    if door is not None:
        door.load_ipython_extension(ipython)
        return
    from .guest.mpirun import magic
    from .ranks import plain

    plain.begin()  # so that it is there when it is asked
    magic.load(ipython, plain.find)


def unload_ipython_extension(ipython: Any) -> None:
    """Take ``%%mpirun`` away (``%unload_ext jupyter_hpcctr``), with the ranks of a kernel that we have not launched."""
    import sys

    from .guest.mpirun import magic

    magic.unload(ipython)
    if "jupyter_hpcctr.ranks.plain" in sys.modules:
        sys.modules["jupyter_hpcctr.ranks.plain"].stop()


def checkpoint(function: Any = None, *, before: str | float | None = None) -> Any:
    """Run a function before the job of this kernel ends, as ``%hpcctr checkpoint`` does with code.

    Parameters
    ----------
    function : callable
        Called without arguments; it is returned, so that this can be a decorator.
    before : str or number, optional
        How long before the end: minutes, or a text with a unit (``"90s"``).

    Raises
    ------
    RuntimeError
        This is no kernel that this package has launched.
    """
    import sys

    door = sys.modules.get("_hpcctr_guest.checkpoint.door")
    if door is None:
        raise RuntimeError("a checkpoint needs a kernel that jupyter_hpcctr has started: this one has no job")
    return door.checkpoint(function, before=before)
