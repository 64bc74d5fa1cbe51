"""The OpenAPI document and the handlers say the same: by words, and by data made from the document."""

import atexit
import json
import re
import tempfile
import urllib.request
from pathlib import Path

import jsonschema
import schemathesis
import yaml
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir
from schemathesis.specs.openapi.checks import missing_required_header

from jupyter_hpcctr.core import request
from jupyter_hpcctr.offers import words
from jupyter_hpcctr.server import document, handlers
from jupyter_hpcctr.server.handlers import ROUTES, Nothing

PATH = Path(document.__file__).with_name("openapi.yaml")
METHODS = ("get", "post", "put", "patch", "delete", "head")
HOME = tempfile.TemporaryDirectory(prefix="hx")  # Hypothesis keeps its tables there, not in the checkout
atexit.register(HOME.cleanup)
set_hypothesis_home_dir(HOME.name)
settings.register_profile(
    "made data",
    max_examples=15,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("made data")
api = schemathesis.openapi.from_path(PATH)
api.config.generation.allow_extra_parameters = False  # pages add the time to a query, so that nothing is cached
api.config.checks.negative_data_rejection.expected_statuses = ["400", "403", "404", "413"]


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


@api.parametrize()
def test_made_data_of_every_operation(case, shared_server):
    """Data that fit the document and data that do not: no error of the server, and only what the document says."""
    case.call_and_validate(
        base_url=f"{shared_server.url}/jupyter-hpcctr",
        headers={"Authorization": f"token {shared_server.token}"},
        excluded_checks=[missing_required_header],  # it wants 401; Jupyter says 403 (test_rest_auth.py)
    )
