"""A request as a kernelspec and as a command: both are the same request."""

import json
import shlex

import pytest

from jupyter_hpcctr import kernelspecs
from jupyter_hpcctr.cli import asking
from jupyter_hpcctr.cli.main import parser
from jupyter_hpcctr.core.request import parse
from jupyter_hpcctr.offers.copies import command, kernelspec

REQUESTS = (
    {},
    {"image": "r.example.org/pi:1", "nodes": 2, "gpus_per_node": 1, "gpu_type": "a100", "mounts": ["/a b:/c:ro"]},
    {"engine": "bare", "scheduler": "local", "mem": "4G", "time": "1-02:00:00", "gpus_per_node": 2},
    {"env": {"A": "b c", "B": "-x 'y'"}, "annotations": {"com.hooks.a": "1"}, "devices": ["hpe.com/cxi=all"]},
    {"image": "oci-archive:/x/-a.tar", "workdir": "/w", "python": "python3.12", "partition": "p", "constraint": "a&b"},
)


@pytest.mark.parametrize("raw", REQUESTS)
def test_the_command_writes_the_same_request(raw):
    jupyter, *words = shlex.split(command(parse(raw), "My 'own'"))
    assert (jupyter, words[0]) == ("jupyter", "hpcctr")
    arguments = parser().parse_args(words[1:])
    assert asking.request(arguments) == parse(raw)
    assert arguments.display_name == "My 'own'"


def test_the_command_names_the_kernelspec_after_the_image():
    line = command(parse(REQUESTS[1]), "Pi")
    assert line == (
        "jupyter hpcctr kernelspec add pi-1 --display-name=Pi --image=r.example.org/pi:1 '--mount=/a b:/c:ro' --nodes=2"
        " --gpus-per-node=a100:1"
    )


@pytest.mark.parametrize("raw", [{"argv": ["x", "{connection_file}"]}, {"gpu_type": "a100"}])
def test_there_is_no_command_for_what_the_command_line_has_no_option_for(raw):
    assert command(parse(raw), "x") is None


@pytest.mark.parametrize("raw", [*REQUESTS, {"argv": ["x", "{connection_file}"]}])
def test_the_kernelspec_is_what_is_written_for_one_start_too(raw):
    spec = json.loads(kernelspec(parse(raw), "Mine"))
    assert spec["display_name"] == "Mine"
    assert parse(kernelspecs.request_of(spec)) == parse(raw)
    written = kernelspecs.content(parse(raw), "Mine")
    assert {**spec["metadata"], "hpcctr": {}} == {**written["metadata"], "hpcctr": {}}
