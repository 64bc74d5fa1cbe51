"""Nobody without a token, and nobody whom the server's authorizer refuses, gets anything from any route."""

import http.cookiejar
import json
import re
import urllib.error
import urllib.parse
import urllib.request

import pytest

from jupyter_hpcctr.server import document
from jupyter_hpcctr.server.handlers import ROUTES

OPERATIONS = [
    (method.upper(), re.sub(r"\{\w+\}", "x", path))
    for path, entry in document.document()["paths"].items()
    for method in entry
    if method != "parameters"
]
ELSEWHERE = [(method, "/no/such/place") for method in ("GET", "POST", "PUT", "PATCH", "DELETE")]


def ask(server, method, path, *, token=True, opener=None, **headers):
    """Return (status, what is said); with a body where one is expected."""
    headers |= {"Authorization": f"token {server.token}"} if token else {}
    body = {"POST": b'{"request": {"engine": "bare"}}'}.get(method)
    request = urllib.request.Request(f"{server.url}/jupyter-hpcctr{path}", method=method, data=body, headers=headers)
    try:
        with (opener or urllib.request.build_opener()).open(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture
def denied(rest_site):
    """The authorizer denies everything of ours from now on."""
    path = rest_site.cwd / "deny"
    path.write_text("hpcctr")
    yield
    path.unlink()


def test_all_routes_are_in_the_list():
    assert len({path for _, path in OPERATIONS}) == len(ROUTES) - 1


@pytest.mark.parametrize(("method", "path"), OPERATIONS + ELSEWHERE)
def test_without_a_token_there_is_nothing(shared_server, method, path):
    status, text = ask(shared_server, method, path, token=False)
    assert status == 403
    assert set(json.loads(text)) == {"message", "hint", "stage", "field", "transient"}


@pytest.mark.parametrize(("method", "path"), OPERATIONS + ELSEWHERE)
def test_with_another_token_there_is_nothing(shared_server, method, path):
    assert ask(shared_server, method, path, token=False, Authorization="token other")[0] == 403


@pytest.mark.parametrize(("method", "path"), OPERATIONS + ELSEWHERE)
def test_whom_the_authorizer_refuses_gets_nothing(shared_server, denied, method, path):
    assert ask(shared_server, method, path)[0] == 403


def test_the_authorizer_is_asked_about_our_own_resource(shared_server, denied):
    assert shared_server.ask("GET", "kernels")[0] == 200


def test_an_address_that_is_not_there_is_told_in_json(shared_server):
    for method, path in ELSEWHERE:
        status, text = ask(shared_server, method, path)
        assert (status, json.loads(text)["stage"]) == (404, "request")


def test_a_page_of_another_site_cannot_use_the_cookie(shared_server):
    """The cookie alone is not enough to change anything: without the page's own header it is refused."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    with opener.open(f"{shared_server.url}/login?token={shared_server.token}") as answer:
        answer.read()
    cookies = {cookie.name: cookie.value for cookie in jar}
    assert ask(shared_server, "GET", "/jobs", token=False, opener=opener)[0] == 200
    status, text = ask(shared_server, "POST", "/plan", token=False, opener=opener)
    assert (status, "_xsrf" in text) == (403, True)
    with_header = {"X-XSRFToken": urllib.parse.unquote(cookies["_xsrf"])}
    assert ask(shared_server, "POST", "/plan", token=False, opener=opener, **with_header)[0] == 200
