"""A launch's life: every event in every state that can be reached."""

from pathlib import Path

import pytest
from support.life import every_event, explore, page

from jupyter_hpcctr.core.life import Life, advance, effects, events
from jupyter_hpcctr.core.life.state import At, Known, Mode, Stage, Wish, deadlines, kept
from jupyter_hpcctr.core.life.words import Words
from jupyter_hpcctr.core.story import told

PHASES = {Stage.RUNNING: "ready", Stage.ENDED: "ended", Stage.TAKEN: "ended"}
TURNS = {
    effects.FrontReady: "ready", effects.FrontHold: "waiting", effects.FrontWait: "waiting", effects.FrontEnd: "ended",
}  # fmt: skip


def jobs(life):
    return {job.number: job for job in (*life.leaving, *([life.job] if life.job else ()))}


def of(kind, done):
    return [each for each in done if isinstance(each, kind)]


def test_every_stage_can_be_reached_and_every_event_is_tried_in_it():
    tried = {}
    for life, event, _, _ in explore():
        tried.setdefault(life.stage, set()).add(type(event))
    assert set(tried) == set(Stage)
    of_nobody = {type(event) for event in every_event(Life())}
    assert all(kinds >= of_nobody for kinds in tried.values())


def test_a_kernels_exit_status_is_none_while_there_is_one_or_will_be():
    for life, event, after, done in explore():
        waited_for = after.stage not in (Stage.DEAD, Stage.PARTING) and after.wish is Wish.NONE
        if after.mode in (Mode.WANTED, Mode.ENDED, Mode.TAKEN) and waited_for:
            assert after.exit_code is None, (life, event)
        if after.mode in (Mode.STOPPING, Mode.GONE, Mode.DETACHED) or after.stage is Stage.DEAD:
            assert after.exit_code is not None, (life, event)
        told_exit = [each.code for each in of(effects.SetExit, done)]
        assert told_exit == ([after.exit_code] if life.exit_code != after.exit_code else []), (life, event)


def test_no_job_is_dropped_that_may_be_there():
    for life, event, after, done in explore():
        was = jobs(event.was if isinstance(event, events.Adopt) else life)
        for number in was.keys() - jobs(after).keys():
            job = was[number]
            let_go = {each.job for each in of((effects.Discard, effects.Release), done)}
            nothing = isinstance(event, events.Adopt) and event.was.settled
            assert number in let_go or nothing, (life, event)
            ends = (events.Ended, events.CancelDone, events.Refused, events.NotFound, events.TakenOver)
            over = job.at is At.OVER or job.known is Known.NOTHING
            assert over or nothing or isinstance(event, ends), (life, event)
        assert len(jobs(after)) == len(after.leaving) + (after.job is not None)


def test_what_is_submitted_is_recorded_first_and_with_a_number_of_its_own():
    for life, event, after, done in explore():
        submitted = of(effects.Submit, done)
        if submitted:
            assert isinstance(done[0], effects.Remember), (life, event)
            assert after.job.known is Known.ASKED
        remembered = of(effects.Remember, done)
        changed = life is not after and kept(life) != kept(after)
        assert len(remembered) == (changed and not after.settled and after.mode is not Mode.TAKEN), (life, event)


def test_a_launch_that_is_not_ours_any_more_is_left_alone():
    touching = (effects.Submit, effects.CancelJob, effects.TellAgent, effects.Forget, effects.Remember, effects.Seek)
    for life, event, after, done in explore():
        if life.mode is Mode.TAKEN:
            assert of(touching, done) == [], (life, event)
            assert after.stage in (Stage.TAKEN, Stage.GONE)
        if life.settled:
            assert (after, done) == (life, ()), (life, event)
        if life.mode is Mode.DETACHED and life.job:
            about = [each for each in of(touching[:3], done) if each.job == life.job.number]
            assert about == [], (life, event)


def test_the_front_stands_where_the_launch_does():
    for life, event, after, done in explore():
        if after.mode in (Mode.NEW, Mode.GONE, Mode.STOPPING, Mode.DETACHED):
            continue
        phase = PHASES.get(life.stage, "waiting")
        for each in done:
            phase = TURNS.get(type(each), phase)
        assert phase == PHASES.get(after.stage, "waiting"), (life, event, done)


def test_cells_are_ended_with_a_reason_before_their_front_closes_unless_the_next_server_has_them():
    for life, event, after, done in explore():
        kinds = [type(each) for each in done]
        kept = Mode.DETACHED in (after.mode, life.mode) or isinstance(event, events.Detach)
        if effects.FrontClose in kinds and life.mode is Mode.WANTED and not kept:
            before = kinds[: kinds.index(effects.FrontClose)]
            assert effects.FrontEnd in before or effects.FrontAbort in before, (life, event)


def test_deadlines_are_started_and_stopped_as_they_are_waited_for():
    for life, event, after, done in explore():
        waited = set(deadlines(life))
        for each in of((effects.StartDeadline, effects.StopDeadline), done):
            change = waited.add if isinstance(each, effects.StartDeadline) else waited.remove
            change(each.deadline)
        assert waited == deadlines(after), (life, event)


def test_every_sentence_has_its_words():
    for _, _, _, done in explore():
        for each in done:
            for what in (getattr(each, "what", None), getattr(each, "why", None)):
                if isinstance(what, Words):
                    assert told(what, scheduler="slurm", nodes="n1").strip() not in ("", "None"), what


def answers(life, done, *, fails):
    """What comes of the questions among the effects."""
    for each in done:
        number = getattr(each, "job", 0)
        if isinstance(each, effects.Seek):
            yield events.NoAnswer(number) if fails else events.NotFound(number)
        elif isinstance(each, effects.CancelJob):
            yield events.CancelFailed(number) if fails else events.CancelDone(number)


def outstanding(life):
    """The questions that are out in a state."""
    for job in life.leaving:
        if job.asking:
            yield (effects.CancelJob if job.at is At.CANCELLING else effects.Seek)(job.number)
        elif job.known is Known.ASKED:
            yield effects.Submit(job.number)


def drive(life, *, fails):
    """Let answers and time come until a launch is gone, or nothing is left to come."""
    done = tuple(outstanding(life))
    for _ in range(60):
        asked = [each.job for each in done if isinstance(each, effects.Submit)]
        come = [*answers(life, done, fails=fails), *(events.OutcomeUnknown(number) for number in asked)]
        come = come or [events.TimeUp(each) for each in sorted(deadlines(life), key=str)]
        if life.settled or not come or (fails and life.stage is Stage.GONE):
            break
        done = ()
        for event in come:
            life, more = advance(life, event)
            done += more
    return life


def test_a_stopped_launch_is_gone_from_every_state_even_where_the_scheduler_is_away():
    seen = set()
    for life, _, _, _ in explore():
        if life in seen or life.mode in (Mode.DETACHED, Mode.GONE):
            continue
        seen.add(life)
        stopped, done = advance(life, events.Stop())
        away = drive(stopped, fails=True)
        assert away.stage is Stage.GONE, life
        heard = drive(away, fails=False)
        agents = {job.line.value for job in heard.leaving}
        assert heard.settled or agents <= {"heard", "silent"}, (life, heard)


def test_the_page_about_it_is_true():
    text = (Path(__file__).parents[2] / "docs" / "life.md").read_text(encoding="utf-8")
    assert text == page(), "run: python tests/support/life.py"


@pytest.mark.parametrize("event", [events.Ready(1, 1), events.Exited(1, 1, 0), events.Bye(1, "x"), events.Heard(1, 0)])
def test_an_agent_of_before_a_requeue_is_not_heard(event):
    life = Life()
    for each in (events.Start(), events.Fetched(1), events.Submitted(1, "7"), events.Hello(1), events.Silent(1)):
        life, _ = advance(life, each)
    requeued = next(e for e in every_event(life) if isinstance(e, events.Requeued))
    life, _ = advance(life, requeued)
    assert life.stage is Stage.PENDING
    assert advance(life, event) == (life, ())


def test_a_requeue_that_is_told_late_does_not_undo_the_next_agents_hello():
    life = Life()
    hello = events.Hello(1, run="1.2", start=1)
    for each in (events.Start(), events.Fetched(1), events.Submitted(1, "7"), hello):
        life, _ = advance(life, each)
    requeued = next(e for e in every_event(life) if isinstance(e, events.Requeued))
    for each in (requeued, events.Ready(1, 1)):
        life, done = advance(life, each)
    assert life.stage is Stage.RUNNING
    assert effects.FrontReady() in done
