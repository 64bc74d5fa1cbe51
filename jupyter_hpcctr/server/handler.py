"""What all handlers have in common: bounded bodies, JSON, and errors that become HTTP in one place."""

from __future__ import annotations

import json
from http.client import responses
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

from ..errors import HpcctrError
from . import document, errors
from .service import Service

BODY_BYTES = 65_536


@web.stream_request_body
class Handler(APIHandler):
    """Bounded bodies, JSON, one shape of errors.

    Bodies are read here as they come, so that one that is too long is never kept: by default Jupyter's
    server would take half a gigabyte into memory, before anybody is asked who sends it.
    """

    auth_resource = "hpcctr"

    def initialize(self, service: Service) -> None:
        """Take over what every request is answered from."""
        self.service = service
        self._body = b""
        self._length = 0

    async def prepare(self, **more: Any) -> None:
        """Authenticate, and refuse a body that says itself that it is too long."""
        await super().prepare(**more)
        self._bounded(int(self.request.headers.get("Content-Length") or 0))

    def data_received(self, chunk: bytes) -> None:
        """Keep a piece of the body, as long as it is not too long."""
        self._length += len(chunk)
        if self._length <= BODY_BYTES:
            self._body += chunk

    def _bounded(self, length: int) -> None:
        if length > BODY_BYTES:
            raise web.HTTPError(413, f"a body has at most {BODY_BYTES} bytes")

    def body(self, schema: str) -> dict[str, Any]:
        """Return the request's body as a schema of the document describes it; raises ``RequestError``."""
        self._bounded(self._length)
        return document.read(self._body, schema)

    def say(self, value: object, status: int = 200) -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.finish(json.dumps(value))

    def nothing(self) -> None:
        """Answer that it is done."""
        self.set_status(204)
        self.finish()

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Give an error of this package its status."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        super().send_error(errors.status(error) if isinstance(error, HpcctrError) else status_code, **kwargs)

    def log_exception(self, *args: Any) -> None:
        """Write no stack for what was refused on purpose."""
        if isinstance(args[1], HpcctrError):
            self.log.info("%s %s: %s", self.request.method, self.request.path, args[1])
        else:
            super().log_exception(*args)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write any error in the one shape."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        if isinstance(error, HpcctrError):
            said = errors.body(error)
        else:
            known = responses.get(status_code, "Unknown HTTP error")
            said = errors.plain(error.log_message or known if isinstance(error, web.HTTPError) else known)
        if status_code == 405:
            self.set_header("Allow", ", ".join(self.methods()))
        self.finish(json.dumps(said))

    @classmethod
    def methods(cls) -> list[str]:
        """Return the methods that there are at this address."""
        missing = web.RequestHandler._unimplemented_method
        return [m for m in cls.SUPPORTED_METHODS if getattr(cls, m.lower()) is not missing]
