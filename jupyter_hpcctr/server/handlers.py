"""One handler a route. Each method is authenticated and authorised; errors become HTTP in one place."""

from __future__ import annotations

import json
from http.client import responses
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from ..errors import HpcctrError, RequestError
from . import cells, document, errors
from .errors import NotHere
from .service import Service

BODY_BYTES = 65_536
MOST_OFFSET = 2**53
SEARCH_CHARACTERS = 200


@web.stream_request_body
class Handler(APIHandler):
    """What all have in common: bounded bodies, JSON, one shape of errors.

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


class Options(Handler):
    """What can be asked for."""

    etag: str | None = None

    def compute_etag(self) -> str | None:
        """Return the tag of what was answered; its age is not part of it."""
        return self.etag

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer from the cache, or 304 where the page has that already."""
        refresh = self.get_query_argument("refresh", "0")
        if refresh not in ("0", "1"):
            raise RequestError("refresh is 0 or 1", field="refresh")
        value, self.etag = await self.service.offers.options(refresh=refresh == "1")
        self.say(value)


class Images(Handler):
    """Images, and fetching one."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List what can be chosen."""
        text = self.get_query_argument("search", "")
        if len(text) > SEARCH_CHARACTERS:
            raise RequestError(f"a search has at most {SEARCH_CHARACTERS} characters", field="search")
        self.say(await self.service.offers.images(text))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Begin to fetch one."""
        reference = self.body("Pull")["reference"]
        self.service.pulls.start(reference)
        self.say({"reference": reference}, 202)

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """Cancel fetching one."""
        self.service.pulls.cancel(self.get_query_argument("reference"))
        self.nothing()


class ImageCheck(Handler):
    """Whether there is an image."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Ask its registry."""
        self.say(await self.service.offers.check(self.get_query_argument("reference")))


class Plan(Handler):
    """What a request would come to."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Draw it; nothing is submitted."""
        self.say(await self.service.requests.plan(self.body("PlanBody")))


class Requests(Handler):
    """Requests that are kept as kernelspecs."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List them."""
        self.say(await self.service.requests.kept())

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Keep one."""
        self.say(await self.service.requests.keep(self.body("RequestBody")), 201)


class OneRequest(Handler):
    """A kept request."""

    @web.authenticated
    @authorized
    async def delete(self, name: str) -> None:
        """Remove its kernelspec."""
        await self.service.requests.forget(name)
        self.nothing()


class Jobs(Handler):
    """The jobs of this user's kernels."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List them."""
        self.say(await self.service.jobs.listing())


class OneJob(Handler):
    """A job."""

    @web.authenticated
    @authorized
    async def get(self, job: str) -> None:
        """Describe it."""
        self.say(await self.service.jobs.one(job))

    @web.authenticated
    @authorized
    async def delete(self, job: str) -> None:
        """Cancel it, or take it out of the list when it has ended."""
        if await self.service.jobs.cancel(job):
            self.say({}, 202)
        else:
            self.nothing()


class Take(Handler):
    """Another process's kernel, or nobody's."""

    @web.authenticated
    @authorized
    async def post(self, job: str) -> None:
        """Go on with it in this server."""
        self.say(await self.service.jobs.take(job, by_force=self.body("Take")["force"]))


class Log(Handler):
    """A job's log."""

    @web.authenticated
    @authorized
    async def get(self, job: str) -> None:
        """Return it from a byte on."""
        text = self.get_query_argument("offset", "0")
        if not (text.isascii() and text.isdecimal() and len(text) < 17 and int(text) < MOST_OFFSET):
            raise RequestError("the offset must be a whole number of bytes", field="offset")
        self.say(await self.service.jobs.log(job, int(text)))


class Cells(Handler):
    """The cells of a kernel's notebook."""

    @web.authenticated
    @authorized
    async def get(self, kernel: str) -> None:
        """List the last execution of each."""
        self.say(await cells.listing(kernel))


class OneCell(Handler):
    """A cell of a kernel's notebook."""

    @web.authenticated
    @authorized
    async def get(self, kernel: str, cell: str) -> None:
        """Describe its last execution, with what it has put out."""
        self.finish(await cells.one(kernel, cell))


class OpenApi(Handler):
    """The document itself."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Return it."""
        self.finish(document.text(), set_content_type="application/yaml")


class Nothing(Handler):
    """Any other address below ours: JSON there too."""

    async def _missing(self) -> None:
        raise NotHere("there is nothing at this address", hint="see openapi.yaml")

    # Each its own: a method that is authorised remembers what it was first authorised for.
    get, post, put, patch, delete = (web.authenticated(authorized(each)) for each in [_missing] * 5)


ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    ("options", Options),
    ("images", Images),
    ("images/check", ImageCheck),
    ("plan", Plan),
    ("requests", Requests),
    ("requests/([^/]+)", OneRequest),
    ("jobs", Jobs),
    ("jobs/([^/]+)", OneJob),
    ("jobs/([^/]+)/log", Log),
    ("jobs/([^/]+)/take", Take),
    ("kernels/([^/]+)/cells", Cells),
    ("kernels/([^/]+)/cells/([^/]+)", OneCell),
    ("openapi\\.yaml", OpenApi),
    (".*", Nothing),
)
"""Addresses below the namespace, in the order in which they are tried."""
