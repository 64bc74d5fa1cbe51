"""Registries are searched: catalogue, tags, pages and tokens, over real HTTP."""

import http.server
import json
import threading
import urllib.parse

import pytest

from jupyter_hpcctr.core.facts import Policy
from jupyter_hpcctr.images import search as searching

TAGS = {"group/python": ["3.9", "latest", "3.12"], "group/python-gpu": ["12"], "other": ["python"], "no/tags": None}


class Registry(http.server.BaseHTTPRequestHandler):
    """The questions of a search, answered in pages of three; ``token`` makes it ask for one."""

    token = ""

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        asked = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/token":
            return self.answer({"token": self.token} if asked == {"service": "s", "scope": "x"} else {})
        if self.token and self.headers.get("Authorization") != f"Bearer {self.token}":
            realm = f"http://{self.headers['Host']}/token"
            return self.answer({}, 401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="s",scope="x"'})
        if url.path == "/v2/_catalog":
            first = int(asked.get("from", 0))
            link = {"Link": f'</v2/_catalog?n=3&from={first + 3}>; rel="next"'} if first + 3 < len(TAGS) else {}
            return self.answer({"repositories": list(TAGS)[first : first + 3]}, more=link)
        name = url.path.removeprefix("/v2/").removesuffix("/tags/list")
        if name not in TAGS:
            return self.answer({}, 404)
        return self.answer({"name": name, "tags": TAGS[name]})

    def answer(self, content, status=200, more=()):
        self.send_response(status)
        for name, value in dict(more).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_):
        pass


@pytest.fixture(params=["", "secret"], ids=["open", "token"])
def host(request):
    handler = type("Handler", (Registry,), {"token": request.param})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def search(text, policy):
    found, failed = searching.search(text, policy)
    assert failed == ()
    return found


def test_names_and_tags_are_found_in_order(host):
    policy = Policy(registries=(host,))
    names = [f"{host}/group/python:{tag}" for tag in ("latest", "3.12", "3.9")] + [f"{host}/group/python-gpu:12"]
    assert search("python", policy) == tuple(names)
    assert search(" Python:3.1", policy) == (f"{host}/group/python:3.12",)
    assert search("python:LATEST", policy) == (f"{host}/group/python:latest",)
    assert search(f"{host}/other", policy) == (f"{host}/other:python",)
    assert search("nothing", policy) == search("no/tags", policy) == ()


def test_what_the_site_does_not_allow_is_not_shown(host):
    assert search("python", Policy(registries=(host,), image_patterns=("*-gpu:*",))) == (f"{host}/group/python-gpu:12",)


def test_a_registry_that_does_not_answer_is_named(host):
    nobody = "127.0.0.1:1"
    found, (error,) = searching.search("python-gpu", Policy(registries=(nobody, host)))
    assert found == (f"{host}/group/python-gpu:12",), "the others' answers are there"
    assert error.field == nobody and nobody in error.message and error.transient


def near(name, policy=None):
    return searching.near(name, policy or Policy())


def test_what_is_like_a_wrong_name_is_another_tag_or_a_name_spelt_alike(host):
    assert near(f"{host}/group/python:3.10") == tuple(f"{host}/group/python:{t}" for t in ("3.12", "3.9", "latest"))
    assert near(f"{host}/group/pyhton:3.9")[0] == f"{host}/group/python:3.9"
    assert near(f"{host}/quite/different:1") == ()
    assert near("127.0.0.1:1/group/python:3") == (), "who does not answer has nothing"
    assert near(f"{host}/group/pyhton:3.9", Policy(image_patterns=("none",))) == ()


def test_without_registries_nobody_is_asked():
    assert search("python", Policy()) == ()


@pytest.mark.parametrize("link", ["http:@127.0.0.1:1/v2/_catalog", "//127.0.0.1:1/v2/_catalog", "http://127.0.0.1:1/"])
def test_nobody_else_is_asked_for_the_next_page(monkeypatch, link):
    asked = []

    def load(url, token):
        asked.append(urllib.parse.urlsplit(url).netloc)
        return {"repositories": []}, f'<{link}>; rel="next"' if len(asked) == 1 else ""

    monkeypatch.setattr("jupyter_hpcctr.images.search._load", load)
    assert search("x", Policy(registries=("registry.example.org",))) == ()
    assert asked == ["registry.example.org"] * 2
