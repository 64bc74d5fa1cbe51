"""HTTP as schedulers ask by it: a real server with TLS and a token, and all that can go wrong between."""

import asyncio
import base64
import gc
import json
import logging
import ssl
import traceback

import pytest
from support.far_server import TOKEN, certificate, serving

from jupyter_hpcctr.core.questions import Endpoint, Request, Response
from jupyter_hpcctr.edge.asking import carry_out
from jupyter_hpcctr.edge.transports import Transports
from jupyter_hpcctr.errors import SchedulerAway, SchedulerUnreachable

SITE = Request("api", "POST", "/v1/site", body="{}")


@pytest.fixture
def server(tmp_path):
    with serving(tmp_path) as server:
        yield server


def endpoint(server, **changed):
    return Endpoint(**{"url": server.url, "ca_file": str(server.ca), "token_file": str(server.token_file), **changed})


def ask(server, request=SITE, *, env=None, **changed):
    transports = Transports(lambda: env or {}, {"api": endpoint(server, **changed)})
    return asyncio.run(transports.ask(request))


def test_a_request_goes_with_its_token_and_is_answered(server):
    query = (("label", "a b&c"), ("label", "ü"))
    request = Request("api", "POST", "/v1/site", query, (("X-Own", "1"),), body="{}")
    server.trouble = "202"
    response = ask(server, request)
    ((method, path, headers, body),) = server.heard
    assert (method, path, body) == ("POST", "/v1/site?label=a+b%26c&label=%C3%BC", "{}")
    assert (headers["Authorization"], headers["X-Own"]) == (f"Bearer {TOKEN}", "1")
    assert headers["Content-Type"] == headers["Accept"] == "application/json"
    assert response.status == 202


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_any_method_goes_with_and_without_a_body(server, method):
    for body in ("", "{}"):
        server.trouble = "404"
        assert ask(server, Request("api", method, "/x", body=body)).status == 404
        assert server.heard[-1][0] == method and server.heard[-1][3] == body


def test_a_path_stays_one_word(server):
    server.trouble = "404"
    ask(server, Request("api", "GET", "/jobs/a b%2Fc\r\nX-Other: 1"))
    _, path, headers, _ = server.heard[-1]
    assert path == "/jobs/a%20b%2Fc%0D%0AX-Other:%201" and "X-Other" not in headers


def test_what_a_service_says_is_given_back_with_everything_but_the_token(server):
    server.trouble = "403"
    response = ask(server)
    assert response == Response(403, response.headers, "trouble, Bearer …")
    assert response.headers["content-length"] == str(len(f"trouble, Bearer {TOKEN}"))
    server.trouble = "moved"
    assert ask(server).headers["location"] == "https://elsewhere.example.org/", "and is not followed"


def test_a_private_file_goes_with_a_request_and_is_in_no_value(server, tmp_path):
    secret = tmp_path / "keys"
    secret.write_text("the keys")
    secret.chmod(0o600)
    request = Request("api", "POST", "/v1/secrets", body='{"data": "@KEYS@"}', files=(("@KEYS@", str(secret)),))
    server.trouble = "201"
    ask(server, request)
    assert server.heard[-1][3] == json.dumps({"data": base64.b64encode(b"the keys").decode()})
    secret.chmod(0o644)
    with pytest.raises(SchedulerAway, match=f"cannot be asked: {secret}"):
        ask(server, request)


def test_a_token_that_is_renewed_is_used_at_once(server):
    server.token_file.write_text("an old one")
    with pytest.raises(SchedulerAway, match="does not know who asks"):
        ask(server)
    server.token_file.write_text(TOKEN)
    assert ask(server).status == 200


def test_a_clients_certificate_says_who_asks(tmp_path):
    (tmp_path / "me").mkdir()
    mine, key = certificate(tmp_path / "me", "me")
    with serving(tmp_path, clients=mine) as server:
        assert ask(server, cert_file=str(mine), key_file=str(key)).status == 200
        with pytest.raises(SchedulerUnreachable):
            ask(server)


def test_an_endpoint_is_found_by_variables(server):
    env = {"WHERE": server.url, "HERE": str(server.directory)}
    assert ask(server, env=env, url="${WHERE}", token_file="${HERE}/token").status == 200
    with pytest.raises(SchedulerAway, match="the variable WHERE is not set"):
        ask(server, url="${WHERE}")


AWAY, SILENT = SchedulerAway, SchedulerUnreachable
TROUBLE = [
    ("hang", SILENT, "does not answer: Timeout", "try again"),
    ("cut", SILENT, "does not answer: ", "try again"),
    ("no http", SILENT, "does not answer: ", "try again"),
    ("500", SILENT, "is in trouble (500: trouble, Bearer …)", "try again"),
    ("503", SILENT, "is in trouble (503", "try again"),
    ("429", AWAY, "is asked too much (429", "try again"),
    ("401", AWAY, "does not know who asks (401", "renew "),
]


def told(error):
    """All that a log, a dialog or a traceback would show."""
    return "".join([*traceback.format_exception(error), str(error), repr(error), repr(vars(error))])


@pytest.mark.parametrize(("trouble", "kind", "message", "hint"), TROUBLE, ids=lambda value: str(value)[:9])
def test_trouble_of_a_server_is_no_answer_and_says_what_to_do(server, caplog, trouble, kind, message, hint):
    caplog.set_level(logging.DEBUG)
    server.trouble = trouble
    with pytest.raises(SchedulerUnreachable) as error:
        ask(server, Request("api", "POST", "/v1/site", body="{}", timeout_s=0.5 if trouble == "hang" else 30.0))
    assert type(error.value) is kind and error.value.transient
    assert f"the service 'api' at {server.url} " in error.value.message and message in error.value.message
    assert hint in error.value.hint
    assert len(server.heard) == 1
    assert TOKEN not in told(error.value) + caplog.text


def test_a_question_that_is_given_up_leaves_no_connection(server):
    async def main():
        task = asyncio.ensure_future(Transports(dict, {"api": endpoint(server)}).ask(SITE))
        while not server.heard:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        ours = [each for each in gc.get_objects() if isinstance(each, ssl.SSLSocket) and not each.server_side]
        return [each for each in ours if each.fileno() != -1]

    server.trouble = "hang"
    assert asyncio.run(main()) == []


def test_what_is_no_json_is_no_answer(server):
    def step():
        response = yield SITE
        return response.json()

    server.trouble = "junk"
    transports = Transports(dict, {"api": endpoint(server)})
    with pytest.raises(SchedulerUnreachable, match="cannot be read"):
        asyncio.run(carry_out(step(), transports.ask))


NEVER = [
    ({"url": "https://127.0.0.1:1"}, "Connection refused", "try again"),
    ({"url": "https://no-such-host.invalid"}, "no-such-host.invalid", "try again"),
    ({"ca_file": ""}, "certificate verify failed", "'ca_file'"),
    ({"ca_file": "/nowhere/ca"}, "/nowhere/ca: No such file", "HpcctrSite.endpoints"),
    ({"token_file": "/nowhere/token"}, "/nowhere/token: No such file", "HpcctrSite.endpoints"),
    ({"cert_file": "/nowhere/cert"}, "/nowhere/cert: No such file", "HpcctrSite.endpoints"),
]


@pytest.mark.parametrize(("changed", "message", "hint"), NEVER, ids=lambda value: str(value)[:30])
def test_what_was_never_heard_is_known_as_that(server, changed, message, hint):
    with pytest.raises(SchedulerAway) as error:
        ask(server, **changed)
    assert message in error.value.message and hint in error.value.hint
    assert server.heard == [] and TOKEN not in told(error.value)


def test_a_file_that_is_no_token_is_not_told(server):
    server.token_file.write_bytes(b"\xff\xfes3cret")
    with pytest.raises(SchedulerAway) as error:
        ask(server)
    assert "s3cret" not in told(error.value) and str(server.token_file) in error.value.message


def test_a_token_is_not_sent_in_the_clear(server, tmp_path):
    with pytest.raises(SchedulerAway, match="everybody can read"):
        ask(server, url="http://192.0.2.1")
    (tmp_path / "plain").mkdir()
    with serving(tmp_path / "plain", tls=False) as plain:
        assert ask(plain).status == 200, "to this very machine it may"


def test_a_service_that_nobody_has_configured_says_so():
    transports = Transports(dict, {})
    with pytest.raises(SchedulerAway, match="not known where the service 'api' is") as error:
        asyncio.run(transports.ask(SITE))
    assert "HpcctrSite.endpoints['api']" in error.value.hint
