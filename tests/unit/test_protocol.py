"""What crosses the job's border: what is written down comes back, and what is wrong is refused by name."""

import dataclasses
import json
import subprocess
import sys
import typing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.plans import agent_file

from jupyter_hpcctr.protocol import codec
from jupyter_hpcctr.protocol.codec import FORMAT, OtherFormat, Unreadable, from_json, to_json
from jupyter_hpcctr.protocol.container import EngineCommand
from jupyter_hpcctr.protocol.tasks import HubTask, NodeTask
from jupyter_hpcctr.protocol.values import AgentFile

WORDS = st.text(max_size=8)


def values(kind):
    """Any value of a type of the protocol."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{each.name: values(hints[each.name]) for each in dataclasses.fields(kind)})
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Union:
        return st.none() | values(parts[0])
    if origin is typing.Literal:
        return st.sampled_from(parts)
    if origin is tuple:
        return st.lists(values(parts[0]), max_size=2).map(tuple)
    if origin is not None:
        return st.dictionaries(WORDS, values(parts[1]), max_size=2)
    simple = {str: WORDS, int: st.integers(), bool: st.booleans(), float: st.floats(allow_nan=False)}
    return simple[kind]


@pytest.mark.parametrize("kind", [AgentFile, HubTask, NodeTask, EngineCommand])
def test_what_is_written_down_comes_back(kind):
    @settings(max_examples=20, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(values(kind))
    def comes_back(value):
        assert from_json(kind, to_json(value)) == value

    comes_back()


def test_a_real_plan_comes_back():
    told = agent_file()
    assert from_json(AgentFile, to_json(told)) == told


def test_a_plan_holds_no_secret():
    told = agent_file()
    assert "s3cret" in to_json(told)
    assert "s3cret" not in to_json(told.plan) + repr(told)


def changed(change):
    found = json.loads(to_json(agent_file()))
    change(found)
    return json.dumps(found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found["plan"]["ranks"]["container"].pop("name"), "plan.ranks.container.name is missing"),
        (lambda found: found["plan"].update(extra=1), "plan.extra is not known"),
        (lambda found: found.update(keep_bytes="1"), "keep_bytes is a str, not int"),
        (lambda found: found.update(keep_bytes=True), "keep_bytes is a bool, not int"),
        (lambda found: found["plan"].update(ranks=[]), "plan.ranks is a list, not an object"),
        (lambda found: found["plan"].update(directories=["a", None]), "plan.directories[1] is null, not str"),
        (lambda found: found["plan"].update(pass_env="*"), "plan.pass_env is a str, not a list"),
        (lambda found: found["plan"]["env"].update(A=1), "plan.env.A is a int, not str"),
        (lambda found: found["plan"]["ranks"]["image"].update(kind="tar"), "plan.ranks.image.kind is 'tar', none of "),
    ],
)
def test_what_is_not_as_it_should_be_is_named(change, said):
    with pytest.raises(Unreadable) as refused:
        from_json(AgentFile, changed(change))
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("text", ["", "[]", "7", '{"format": 1'])
def test_what_is_no_value_at_all_is_refused(text):
    with pytest.raises(Unreadable):
        from_json(EngineCommand, text)


@pytest.mark.parametrize("number", [FORMAT + 1, None, str(FORMAT)])
def test_another_format_is_refused_with_what_to_do(number):
    with pytest.raises(OtherFormat, match="another version of jupyter_hpcctr.*Restart the kernel"):
        from_json(AgentFile, json.dumps({"format": number, "anything": 1}))


@pytest.mark.parametrize("kind", [AgentFile, HubTask, NodeTask, EngineCommand])
def test_types_are_those_that_the_codec_knows(kind):
    if dataclasses.is_dataclass(kind):
        for each in typing.get_type_hints(kind).values():
            test_types_are_those_that_the_codec_knows(each)
    elif (origin := typing.get_origin(kind)) is None:
        assert kind in (str, int, bool, float)
    else:
        assert origin in codec._PARTS
        parts = [each for each in typing.get_args(kind) if each not in (type(None), ...)]
        assert origin is not typing.Union or len(parts) == 1
        for each in parts if origin is not typing.Literal else ():
            test_types_are_those_that_the_codec_knows(each)


def test_an_agent_says_why_it_does_not_read_the_plan_of_another_version(tmp_path):
    path = tmp_path / "agent.json"
    path.write_text(changed(lambda found: found.update(format=99)))
    path.chmod(0o600)
    words = [sys.executable, "-m", "jupyter_hpcctr.agent", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 66
    assert "another version of jupyter_hpcctr: it has the format 99" in done.stderr
