"""One handler a route. Each method is authenticated and authorised."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..errors import RequestError
from . import cells, document, files
from .errors import NotHere
from .handler import Handler

MOST_OFFSET = 2**53
SEARCH_CHARACTERS = 200


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
        self.service.pulls.cancel(self.get_query_argument("reference", strip=False))
        self.nothing()


class ImageCheck(Handler):
    """Whether there is an image."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Ask its registry."""
        self.say(await self.service.offers.check(self.get_query_argument("reference", strip=False)))


class Plan(Handler):
    """What a request would come to."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Draw it; nothing is submitted."""
        self.say(await self.service.requests.plan(self.body("PlanBody")))


class EdfRead(Handler):
    """Environment definition files."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Say what one asks for."""
        self.say(await files.read(self.body("EdfBody"), cwd=self.service.cwd))


class EdfText(Handler):
    """A request as an environment definition file."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Write one as text; no file is made."""
        self.say(files.written(self.body("EdfRequest")))


class Copies(Handler):
    """A request as others take it."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Write it as a kernelspec and as a command; nothing is kept."""
        self.say(files.copies(self.body("CopyBody")))


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
    ("edf", EdfRead),
    ("edf/text", EdfText),
    ("copies", Copies),
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
