"""The extension's entry: routes below ``<base_url>jupyter-hpcctr/`` and events, added to a Jupyter server."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from jupyter_server.utils import url_path_join
from tornado.platform.asyncio import BaseAsyncIOLoop

from ..edge import logs
from . import document, metrics, refusals
from .handlers import ROUTES
from .service import Service

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

NAMESPACE = "jupyter-hpcctr"


def _load_jupyter_server_extension(serverapp: ServerApp) -> None:
    """Add the routes. Called by the server before it listens."""
    document.document()  # now rather than in somebody's first request
    loop = cast(BaseAsyncIOLoop, serverapp.io_loop)
    service = Service(serverapp, loop.asyncio_loop)
    logs.attach(serverapp.log, style=service.hub.policy.log_format)
    metrics.register()
    base = serverapp.web_app.settings["base_url"]
    routes = [
        *((url_path_join(base, NAMESPACE, path), handler, {"service": service}) for path, handler in ROUTES),
        *((url_path_join(base, path), handler) for path, handler in refusals.ROUTES),
    ]
    serverapp.web_app.add_handlers(".*$", routes)  # type: ignore[no-untyped-call]
    loop.add_callback(service.collect_daily)
    serverapp.observe(lambda change: service.leave() if change["new"] else None, "_stopping")
    if loop.asyncio_loop.is_running():  # in a program that has made a server of its own
        loop.add_callback(service.begin)
    else:
        loop.run_sync(service.begin)
