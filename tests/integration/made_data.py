"""Data made from the OpenAPI document, for the server that the environment names: run by ``test_rest_openapi.py``."""

import atexit
import os
import tempfile
from pathlib import Path

import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir
from schemathesis.specs.openapi.checks import missing_required_header

from jupyter_hpcctr.server import document

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
api = schemathesis.openapi.from_path(Path(document.__file__).with_name("openapi.yaml"))
api.config.generation.allow_extra_parameters = False  # pages add the time to a query, so that nothing is cached
api.config.checks.negative_data_rejection.expected_statuses = ["400", "403", "404", "413"]


@api.parametrize()
def test_made_data_of_every_operation(case):
    """Data that fit the document and data that do not: no error of the server, and only what the document says."""
    case.call_and_validate(
        base_url=os.environ["HPCCTR_TEST_URL"],
        headers={"Authorization": "token " + os.environ["HPCCTR_TEST_TOKEN"]},
        excluded_checks=[missing_required_header],  # it wants 401; Jupyter says 403 (test_rest_auth.py)
    )
