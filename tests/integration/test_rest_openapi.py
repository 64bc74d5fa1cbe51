"""The OpenAPI document and the handlers say the same: by words, and by data made from the document."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import jsonschema
import pytest
import yaml

from jupyter_hpcctr.core import request
from jupyter_hpcctr.offers import words
from jupyter_hpcctr.server import document, handlers
from jupyter_hpcctr.server.handlers import ROUTES, Nothing

METHODS = ("get", "post", "put", "patch", "delete", "head")
DATA = Path(__file__).with_name("made_data.py")


def test_the_document_is_served_as_it_is(shared_server):
    asked = urllib.request.Request(
        f"{shared_server.url}/jupyter-hpcctr/openapi.yaml", headers={"Authorization": f"token {shared_server.token}"}
    )
    with urllib.request.urlopen(asked) as answer:
        assert answer.headers["Content-Type"] == "application/yaml"
        served = yaml.safe_load(answer.read())
    assert served == document.document()
    assert served["servers"][0]["url"] == "."


def test_every_route_has_an_entry_and_every_entry_a_route():
    documented = {
        (re.sub(r"\{\w+\}", "([^/]+)", path).lstrip("/").replace(".", "\\."), method)
        for path, entry in document.document()["paths"].items()
        for method in METHODS
        if method in entry
    }
    served = {
        (route, method)
        for route, handler in ROUTES
        if handler is not Nothing
        for method in METHODS
        if method.upper() in handler.methods()
    }
    assert {route for route, _ in documented} == {route for route, _ in served}
    assert documented == served


def test_every_schema_of_a_body_is_in_the_document():
    used = set(re.findall(r'self\.body\("(\w+)"\)', Path(handlers.__file__).read_text()))
    assert used == {"Pull", "PlanBody", "RequestBody", "Take", "EdfBody", "EdfRequest", "CopyBody"}
    assert used <= set(document.document()["components"]["schemas"])


def test_a_request_of_the_document_is_a_request_of_the_package():
    described = document.document()["components"]["schemas"]["Request"]["properties"]
    everything = request.Resources(2, 2, 1, 1, 1000, 1, "a", 60, "p", "a", "q", "c", "r")
    for name in words.form_words({n: getattr(everything, n) for n in request.Resources.__slots__}):
        assert name in described


def test_what_is_answered_is_what_the_document_says(shared_server):
    for path in ("options", "images", "requests", "jobs"):
        answer = shared_server.hpcctr("GET", path)[1]
        schema = document.document()["paths"][f"/{path}"]["get"]["responses"]["200"]["content"]["application/json"][
            "schema"
        ]
        jsonschema.Draft202012Validator({**schema, "components": document.document()["components"]}).validate(answer)
        json.dumps(answer)


@pytest.mark.timeout(600)
def test_made_data_of_every_operation(shared_server):
    """In a process of its own: pytest makes the data while it collects, which each process of a run does."""
    operations = sum(method in METHODS for entry in document.document()["paths"].values() for method in entry)
    words = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir=.", "-q", "-W", "error", "-p", "no:asyncio"]
    words += ["-p", "no:cacheprovider", str(DATA)]
    where = {"HPCCTR_TEST_URL": f"{shared_server.url}/jupyter-hpcctr", "HPCCTR_TEST_TOKEN": shared_server.token}
    done = subprocess.run(words, env={**os.environ, **where}, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-20_000:]}\n{done.stderr[-4000:]}"
    assert f"{operations} passed" in done.stdout
