"""HTTP services of schedulers: TLS, and the secrets that go with a request, which nobody else reads or hears of."""

from __future__ import annotations

import base64
import ipaddress
import logging
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.iostream import IOStream
from tornado.simple_httpclient import HTTPTimeoutError, SimpleAsyncHTTPClient
from tornado.tcpclient import TCPClient

from ..core.questions import Endpoint, Request, Response
from ..errors import HpcctrError, SchedulerAway, SchedulerUnreachable
from . import files
from .loop import in_thread

log = logging.getLogger(__name__)

CONNECT_S = 10.0
_IN_A_PATH = "/%:@!$&'()*+,;=~"
_AGAIN = "nothing was concluded from that; try again in a minute"


@dataclass(frozen=True)
class _Credentials:
    """What the files of an endpoint hold."""

    tls: ssl.SSLContext | None
    token: str


async def ask(endpoint: Endpoint, request: Request) -> Response:
    """Send one request and return the answer, without the token if that is in it. Redirections are not followed.

    Raises
    ------
    SchedulerAway
        The request has not been heard: there was no connection, no permission (401), or too many others (429).
    SchedulerUnreachable
        There was no answer, or one of trouble (500 and above): it may have been heard.
    """
    where = f"the service {request.service!r} at {_site(endpoint.url)}"
    credentials, body = await in_thread(_read, endpoint, request, where)
    log.debug("ask %s", request.shown)
    fault, response = await _fetched(endpoint, request, credentials, body)
    if response is None:
        kind = SchedulerAway if _is_unheard(fault) else SchedulerUnreachable
        raise kind(f"{where} does not answer: {_hidden(str(fault) or repr(fault), credentials)}", hint=_advice(fault))
    text = _hidden(response.body.decode(errors="replace"), credentials)
    _check(where, endpoint, response.code, text)
    headers = {name.lower(): _hidden(value, credentials) for name, value in response.headers.get_all()}
    return Response(response.code, headers, text)


async def _fetched(
    endpoint: Endpoint, request: Request, credentials: _Credentials, body: str
) -> tuple[Exception, None] | tuple[None, HTTPResponse]:
    """Return what went wrong, or the response; nothing is raised, since tornado's errors hold the request."""
    query = f"?{urlencode(request.query)}" if request.query else ""
    headers = {"Accept": "application/json"}
    if request.body:
        headers["Content-Type"] = "application/json"
    headers |= dict(request.headers)
    if credentials.token:
        headers["Authorization"] = f"Bearer {credentials.token}"
    try:
        asked = HTTPRequest(
            f"{endpoint.url.rstrip('/')}{quote(request.path, safe=_IN_A_PATH)}{query}",
            method=request.method,
            headers=headers,
            body=body.encode() if request.body else None,
            allow_nonstandard_methods=True,  # a body with any method, and none with any
            follow_redirects=False,
            connect_timeout=min(CONNECT_S, request.timeout_s),
            request_timeout=request.timeout_s,
            ssl_options=credentials.tls,
        )
        client = _Client(force_instance=True)
        try:
            return None, await client.fetch(asked, raise_error=False)
        finally:
            client.close()
    except Exception as error:  # noqa: BLE001  (whatever it is, there was no answer)
        return error, None


class _Connections(TCPClient):
    """Closes what it has connected, also where nobody waits for an answer any more."""

    _stream: IOStream | None = None

    async def connect(self, *args: Any, **options: Any) -> IOStream:
        self._stream = await super().connect(*args, **options)
        return self._stream

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        super().close()


class _Client(SimpleAsyncHTTPClient):
    """For one request."""

    def initialize(self, **options: Any) -> None:  # type: ignore[override]  # as that one does to its own
        super().initialize(**options)
        self.tcp_client = _Connections(resolver=self.resolver)


def _read(endpoint: Endpoint, request: Request, where: str) -> tuple[_Credentials, str]:
    """Read the files, each time: tokens and certificates are renewed under a running server."""
    path = ""
    try:
        path = endpoint.ca_file
        tls = ssl.create_default_context(cafile=path or None) if endpoint.url.startswith("https:") else None
        if tls is not None and endpoint.cert_file:
            path = endpoint.cert_file
            tls.load_cert_chain(path, endpoint.key_file or None)
        path = endpoint.token_file
        token = Path(path).read_text(encoding="ascii").strip() if path else ""
        body = request.body
        for placeholder, path in request.files:
            content = base64.b64encode(files.read_private(Path(path)).encode()).decode()
            body = body.replace(placeholder, content)
    except (OSError, ValueError, HpcctrError) as error:
        # Not the error's own text: that of a file which is no text has its bytes in it.
        why = (error.strerror or type(error).__name__) if isinstance(error, OSError) else type(error).__name__
        raise SchedulerAway(
            f"{where} cannot be asked: {path or 'the certificates of this system'}: {why}",
            hint="see that the file is there, is yours to read, and is what HpcctrSite.endpoints says that it is",
        ) from None
    if token and tls is None and not _is_loopback(urlsplit(endpoint.url).hostname or ""):
        raise SchedulerAway(f"{where} would be sent a token that everybody can read", hint="use an https:// address")
    return _Credentials(tls, token), body


def _check(where: str, endpoint: Endpoint, status: int, text: str) -> None:
    said = " ".join(text.split())[:200]
    words = f"{status}: {said}" if said else str(status)
    if status == 401:
        files_ = [name for name in (endpoint.token_file, endpoint.cert_file) if name]
        renew = f"renew {' and '.join(files_)}" if files_ else "give it a 'token_file' or a 'cert_file'"
        raise SchedulerAway(f"{where} does not know who asks ({words})", hint=f"{renew}; nothing was concluded")
    if status == 429:
        raise SchedulerAway(f"{where} is asked too much ({words})", hint=_AGAIN)
    if status >= 500:
        raise SchedulerUnreachable(f"{where} is in trouble ({words})", hint=_AGAIN)


def _is_unheard(error: Exception | None) -> bool:
    if isinstance(error, HTTPTimeoutError):
        return any(phase in str(error) for phase in ("connect", "DNS", "TLS"))
    return isinstance(error, (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError))


def _advice(error: Exception | None) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "give the 'ca_file' of whoever has signed its certificate, and the name that is in that"
    if isinstance(error, ssl.SSLError):
        return "see that it speaks TLS there, and wants no other certificate than 'cert_file'"
    return _AGAIN


def _site(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _hidden(text: str, credentials: _Credentials) -> str:
    return text.replace(credentials.token, "…") if credentials.token else text
