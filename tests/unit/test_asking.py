"""Steps of a scheduler, carried out by answers of the test's own."""

import asyncio

import pytest

from jupyter_hpcctr.core.job import Command, Output
from jupyter_hpcctr.core.questions import Call, NoAnswer, Request, opening, replayed
from jupyter_hpcctr.edge.asking import carry_out
from jupyter_hpcctr.errors import RequestError, SchedulerAway, SchedulerUnreachable, SubmitRefused

ONE, TWO = Command(("one",)), Command(("two",))
SILENT = SchedulerUnreachable("it did not answer", hint="wait")


def asked(asking, **answers):
    """What a step comes to by the answers to its commands."""

    async def ask(question):
        answer = answers[question.argv[0]]
        if isinstance(answer, Exception):
            raise answer
        return Output(0, answer, "")

    return asyncio.run(carry_out(asking, ask))


def twice():
    first = yield ONE
    second = yield TWO
    return first.stdout + second.stdout


def beside():
    first, second = yield ONE, TWO
    return first, second


def careful():
    try:
        yield ONE
    except SchedulerAway:
        return "away"
    except SchedulerUnreachable:
        yield TWO  # what was begun is undone
        raise


def test_each_answer_is_sent_to_its_question():
    assert asked(twice(), one="a", two="b") == "ab"


def test_side_by_side_each_has_its_own_answer_or_none():
    first, second = asked(beside(), one="a", two=SILENT)
    assert (first.stdout, second) == ("a", NoAnswer(SILENT))


def test_no_answer_is_raised_where_it_was_asked_for():
    assert asked(careful(), one=SchedulerAway("nobody is there")) == "away"
    with pytest.raises(SchedulerUnreachable, match="it did not answer"):
        asked(careful(), one=SILENT, two="undone")
    with pytest.raises(SchedulerUnreachable):
        asked(twice(), one=SILENT)


def refuses():
    yield ONE
    raise SubmitRefused("no", hint="ask for less")


def cannot_be_asked():
    raise RequestError("no such path", hint="write it out")
    yield


def test_what_the_scheduler_concludes_is_raised():
    with pytest.raises(SubmitRefused):
        asked(refuses(), one="")
    for each in (asked, opening):
        with pytest.raises(RequestError):
            each(cannot_be_asked())


def reads(read):
    output = yield ONE
    return read(output.stdout)


@pytest.mark.parametrize("read", [int, lambda text: {}[text], lambda text: text.no_such_thing])
def test_an_answer_that_cannot_be_read_is_none(read):
    with pytest.raises(SchedulerUnreachable, match="cannot be read") as error:
        asked(reads(read), one="<html>")
    assert error.value.hint and error.value.transient


def test_a_fault_before_the_first_question_is_no_answers_fault():
    with pytest.raises(ZeroDivisionError):
        asked(broken())


def broken():
    yield Command((str(1 // 0),))


def test_an_asking_that_is_given_up_is_closed():
    closed = []

    def step():
        try:
            yield ONE
        finally:
            closed.append(True)

    async def never(question):
        await asyncio.Event().wait()

    async def main():
        task = asyncio.ensure_future(carry_out(step(), never))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert closed == [True]


def test_answers_are_replayed():
    assert replayed(twice(), Output(0, "a", ""), Output(0, "b", "")) == "ab"
    assert replayed(careful(), SchedulerAway("nobody is there")) == "away"
    for answers in ([Output(0, "a", "")], [Output(0, "a", "")] * 3):
        with pytest.raises(AssertionError, match="wanted|left"):
            replayed(twice(), *answers)


@pytest.mark.parametrize(
    ("question", "shown", "carried"),
    [
        (Command(("a", "b c"), "x\n"), "a 'b c'", "x\n"),
        (Request("api", "POST", "/jobs", (("dry", "All"),), body="{}"), "POST api:/jobs?dry=All", "{}"),
        (Request("api", "GET", "/jobs", outline="a: 1"), "GET api:/jobs", "a: 1"),
        (Call("slurm", "submit", {"n": 1}), "slurm.submit", '{\n  "n": 1\n}'),
    ],
)
def test_every_question_can_be_shown(question, shown, carried):
    assert (question.shown, question.carried) == (shown, carried)
    assert opening(each for each in ((question, ONE),)) == question
