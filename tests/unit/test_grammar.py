"""One grammar: what a request can hold is the same to the package, to REST, to the form and to the page."""

import json
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from support.policies import site_policy
from support.requests import GRAMMAR, REQUESTS, TEXTS, whole

from jupyter_hpcctr.core import grammar, wording
from jupyter_hpcctr.core.amounts import megabytes, minutes
from jupyter_hpcctr.core.facts import Account, Partition, Site
from jupyter_hpcctr.core.request import parse, to_dict
from jupyter_hpcctr.errors import RequestError
from jupyter_hpcctr.offers import form, words
from jupyter_hpcctr.server import document
from jupyter_hpcctr.widgets.fields import Field

VALIDATOR = Draft202012Validator(
    {"$ref": "#/components/schemas/Request", "components": document.document()["components"]}
)


def rest_takes(raw):
    """What REST makes of a request, as it comes over the network."""
    body = document.read(json.dumps({"request": raw}).encode(), "RequestBody")
    return document.asked(body["request"])


NUMBERS = st.text("0123456789", max_size=12)
WRITTEN = {
    "time": st.builds("".join, st.lists(NUMBERS | st.sampled_from([":", "-", " ", "\t", "\n"]), max_size=8)),
    "mem": st.builds("".join, st.tuples(NUMBERS, st.text("kKmMgGtTbB \t\n", max_size=3))),
    "nodes": NUMBERS | st.integers() | st.floats() | st.booleans(),
    "gpus_per_node": st.builds("".join, st.tuples(TEXTS, st.sampled_from(["", ":"]), NUMBERS)),
    "mounts": st.lists(st.text("/.:abro \n", max_size=12), max_size=2),
    "partition": st.text(string.printable + "é\x85\xa0 ", max_size=5),
    "image": st.text("abA1.:/@-_[]", max_size=12),
    "env": st.dictionaries(st.text("aZ_1=\n", max_size=3), st.text("a\n\0 ", max_size=3), max_size=2),
    "annotations": st.dictionaries(st.text("a.= \n", max_size=3), st.text("a\n\0 ", max_size=3), max_size=2),
    "workdir": st.text("/.:ab \n", max_size=8),
    "python": TEXTS,
}
"""What people may write into one field, right or wrong."""
ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.lists(TEXTS, max_size=2)


@settings(GRAMMAR, max_examples=60)
@given(REQUESTS)
def test_whatever_a_request_can_hold_rest_takes_as_it_is_and_as_the_form_writes_it(made):
    written = to_dict(made)
    assert parse(written) == made
    assert rest_takes(written) == made
    assert rest_takes(words.form_words(written)) == made


def is_taken(raw):
    try:
        parse(raw)
    except RequestError:
        return False
    return True


@pytest.mark.parametrize("name", WRITTEN)
def test_the_package_and_the_document_refuse_the_same(name):
    @settings(GRAMMAR, max_examples=150)
    @given(WRITTEN[name] | ANYTHING)
    def check(value):
        shown = json.loads(json.dumps(value), parse_constant=str)
        # A pattern of JSON Schema ends before a line break at the end, Python's way; parsing is strict there.
        assert is_taken({name: shown}) == (VALIDATOR.is_valid({name: shown}) and not ends_with_a_line_break(shown))

    check()


def ends_with_a_line_break(value):
    if isinstance(value, dict):
        return any(map(ends_with_a_line_break, (*value, *value.values())))
    return isinstance(value, str) and value.endswith("\n")


@settings(GRAMMAR, max_examples=100)
@given(whole(grammar.TIME))
@example("0:20:00")
@example("9999-99:99:99")
@example("999999:99:99")
def test_every_time_limit_survives_being_written_by_the_form(text):
    once = minutes(text)
    assert 1 <= once <= grammar.MOST_MINUTES
    assert minutes(wording.duration(once)) == minutes(once) == once


@settings(GRAMMAR, max_examples=100)
@given(whole(grammar.MEMORY))
@example("1K")
@example("999T")
@example(f"{1024**3}M")
def test_every_amount_of_memory_survives_being_written_by_the_form(text):
    once = megabytes(text)
    assert 1 <= once <= grammar.MOST_MB
    assert megabytes(wording.memory(once)) == megabytes(once) == once


@pytest.mark.parametrize("raw", [{"time": 10**30}, {"time": "1" * 5000}, {"mem": 10**5000}, {"nodes": 10**400}])
def test_numbers_beyond_all_measure_are_refused(raw):
    with pytest.raises(RequestError) as refusal:
        parse(raw)
    assert refusal.value.field == next(iter(raw))
    assert refusal.value.hint


@pytest.mark.parametrize(
    "raw",
    [
        {"time": "1:00:00", "time_minutes": 30},
        {"mem": "4G", "mem_mb": 1},
        {"gpus_per_node": "a100:2", "gpu_type": "l4"},
    ],
)
def test_what_is_said_twice_is_refused(raw):
    with pytest.raises(RequestError, match=" and "):
        parse(raw)
    assert not VALIDATOR.is_valid(raw)


def test_the_document_has_the_packages_own_grammar():
    """Where this fails, ``core/grammar.py`` is right and openapi.yaml is to be changed."""
    schemas = document.document()["components"]["schemas"]
    written = {}
    for name, entry in schemas["Request"]["properties"].items():
        found = schemas[entry["$ref"].rpartition("/")[2]] if "$ref" in entry else entry
        written[name] = {key: value for key, value in found.items() if key != "description"}
        if "type" in found:
            written[name]["type"] = [found["type"]] if isinstance(found["type"], str) else found["type"]
    assert written.pop("image") == {"oneOf": [{"$ref": "#/components/schemas/Reference"}, {"type": "null"}]}
    assert schemas["Reference"]["pattern"] == grammar.anchored(grammar.REFERENCE)
    assert written == {name: entry for name, entry in grammar.properties().items() if name != "image"}


CPU = Partition("cpu", True, True, 20_000, 2, 512, 256_000, time_limit_minutes=30)
GPU = Partition(
    "gpu", False, True, 2, 1, 32, 512_000, ("gpu:a100:4(S:0-1)", "gpu:2"), 2880, features=("ib_hdr", "IB-é"),
)  # fmt: skip
ODD = Partition("-odd", False, True, 1, 1, 1, 1)
SITES = [
    Site("slurm", partitions=(CPU, GPU, ODD), accounts=(Account("phys", ("normal", "a b", "long"), True),)),
    Site("slurm", partitions=(GPU,)),
    Site("slurm", partitions=(Partition("-x", True), CPU), accounts=(Account("a b", is_default=True),)),
    Site("local", partitions=(Partition("local", True, True, 1, 1, 8, 16_000, time_limit_minutes=None),)),
    Site("slurm"),
]
POLICIES = [site_policy(), site_policy(max_time_minutes=5, max_nodes=1)]


def values(field):
    """Every value that a field shows: its choices, its bounds, its examples."""
    bounds = [field[name] for name in ("minimum", "maximum") if name in field]
    return [*field.get("enum", ()), *bounds, *field.get("examples", ())]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("site", SITES, ids=range(len(SITES)))
def test_every_value_that_the_form_can_show_is_taken_by_rest(site, policy):
    untouched = form.defaults(site, policy)
    rest_takes(untouched)
    made = form.schema(site, policy)["properties"]
    for name, field in made.items():
        for value in values(field):
            rest_takes(untouched | {name: value})
            control = Field(name, field, lambda: None)
            control.put(value)
            rest_takes(untouched | {name: control.value})
    assert not {"-odd", "-x", "a b"} & {value for field in made.values() for value in values(field)}


@pytest.mark.parametrize("site", SITES[:2], ids=range(2))
def test_the_form_hands_the_page_the_patterns_by_which_rest_decides(site):
    made, all_of_them = form.schema(site, site_policy())["properties"], grammar.properties()
    with_patterns = {name: field["pattern"] for name, field in made.items() if "pattern" in field}
    assert {"time", "mem"} <= set(with_patterns)
    assert with_patterns == {name: all_of_them[name]["pattern"] for name in with_patterns}
    assert [name for name, field in made.items() if not {"enum", "pattern", "minimum"} & set(field)] == []
