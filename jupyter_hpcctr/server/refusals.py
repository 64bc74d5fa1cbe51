"""Jupyter's own addresses of kernels and sessions, with the status and the sentence of this package's errors.

jupyter_server answers 500 whatever a provisioner has raised (501 where a session changes its kernel), and often
without a word of it. These are its handlers, and what they do is theirs; only how they answer an error of this package
is not. They come before its own because routes of extensions do (``tornado.web.Application.add_handlers``).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.services.kernels import handlers as kernels
from jupyter_server.services.sessions import handlers as sessions

from .. import compose
from .. import errors as raised
from ..errors import HpcctrError
from . import errors


class _Refusing(APIHandler):
    """Answers with the error of this package that its handler has met, in whatever it is wrapped."""

    refusal: HpcctrError | None = None
    """What is to be answered in place of what the handler answers."""

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Give an error of this package its status."""
        self.refusal = errors.caused((kwargs.get("exc_info") or (None, None))[1])
        super().send_error(status_code if self.refusal is None else errors.status(self.refusal), **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Leave an error of this package to ``finish``."""
        if self.refusal is None:
            super().write_error(status_code, **kwargs)
        else:
            self.finish()

    def log_exception(self, *args: Any) -> None:
        """Write nothing of what the launch's recorder has written."""
        if errors.caused(args[1]) is None:
            super().log_exception(*args)

    def finish(self, *args: Any, **kwargs: Any) -> Any:
        """Answer, or say what was refused instead."""
        error, self.refusal = self.refusal, None
        if error is not None:
            self.clear()
            self.set_status(errors.status(error))
            args, kwargs = (json.dumps(errors.jupyters(error)),), {}
        return super().finish(*args, **kwargs)


class Kernels(_Refusing, kernels.MainKernelHandler):
    """The list of kernels, and starting one."""


class KernelAction(_Refusing, kernels.KernelActionHandler):
    """Interrupt and restart."""

    def finish(self, *args: Any, **kwargs: Any) -> Any:
        """Answer a restart whose new job was refused: the kernel is there as before, and says so in its notebook."""
        if self.path_kwargs["action"] == "restart" and self.get_status() == 200:
            self.refusal = self._refused(self.path_kwargs["kernel_id"])
        return super().finish(*args, **kwargs)

    @staticmethod
    def _refused(kernel_id: str) -> HpcctrError | None:
        views = (view for hub in compose.hubs() for view in hub.views() if view.kernel_id == kernel_id)
        return next((raised.read(view.error) for view in views if view.error is not None), None)


class Sessions(_Refusing, sessions.SessionRootHandler):
    """The list of sessions, and starting one with its kernel."""


class OneSession(_Refusing, sessions.SessionHandler):
    """A session, and giving it another kernel."""

    @property
    def session_manager(self) -> Any:
        """The server's, with an ear on the start of kernels: what that raises, the handler keeps to itself."""
        return _Heard(super().session_manager, self._hear)

    def _hear(self, error: Exception) -> None:
        self.refusal = errors.caused(error)


class _Heard:
    """A session manager of which somebody hears why it could not start a kernel."""

    def __init__(self, manager: Any, hear: Callable[[Exception], None]) -> None:
        self._manager, self._hear = manager, hear

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)

    async def start_kernel_for_session(self, *args: Any, **kwargs: Any) -> Any:
        """Start a kernel, as the manager does."""
        try:
            return await self._manager.start_kernel_for_session(*args, **kwargs)
        except Exception as error:
            self._hear(error)
            raise


_OURS: dict[type[JupyterHandler], type[_Refusing]] = {
    kernels.MainKernelHandler: Kernels,
    kernels.KernelActionHandler: KernelAction,
    sessions.SessionRootHandler: Sessions,
    sessions.SessionHandler: OneSession,
}

ROUTES: tuple[tuple[str, type[_Refusing]], ...] = tuple(
    (path, _OURS[theirs]) for path, theirs in (*kernels.default_handlers, *sessions.default_handlers) if theirs in _OURS
)
"""jupyter_server's addresses, below the server's base address."""
