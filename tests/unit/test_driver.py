"""What follows from events is carried out in order, whatever has to be waited for and whatever fails."""

import asyncio

from jupyter_hpcctr.core.facts import Policy
from jupyter_hpcctr.core.job import JobId
from jupyter_hpcctr.core.life import effects as do
from jupyter_hpcctr.core.life import events as on
from jupyter_hpcctr.core.life import state
from jupyter_hpcctr.core.life.state import Mode, Stage
from jupyter_hpcctr.launch import Hub
from jupyter_hpcctr.launch.driver import Driver

JOB = JobId("7")
PENDING = (on.Start(), on.Fetched(1), on.Submitted(1, JOB))


class Carrier:
    """Notes each effect when it is done; of those in ``slow`` when the test lets it be, and those in ``bad`` raise."""

    def __init__(self, *, slow=(), bad=()):
        self.done, self.slow, self.bad, self.gate = [], slow, bad, asyncio.Event()
        self.driver = Driver(self.carry_out)

    def carry_out(self, effect):
        if isinstance(effect, self.bad):
            raise OSError("no")
        if isinstance(effect, self.slow):
            return self.wait(effect)
        self.done.append(type(effect))
        return None

    async def wait(self, effect):
        await self.gate.wait()
        self.done.append(type(effect))

    def tell(self, *events):
        for event in events:
            self.driver.tell(event)


def test_what_needs_no_waiting_is_done_at_once():
    async def main():
        carrier = Carrier()
        carrier.tell(on.Start())
        assert carrier.done[0] is do.Remember and carrier.done[-1] is do.Fetch

    asyncio.run(main())


def test_what_comes_behind_something_slow_waits_for_it_and_events_do_not():
    async def main():
        carrier = Carrier(slow=do.Say)
        carrier.tell(*PENDING)
        assert carrier.driver.life.stage is Stage.PENDING
        assert do.Submit not in carrier.done
        carrier.gate.set()
        await carrier.driver.until(lambda life: life.stage is Stage.PENDING)
        kinds = [each for each in carrier.done if each in (do.FrontOpen, do.Fetch, do.Submit, do.Follow)]
        assert kinds == [do.FrontOpen, do.Fetch, do.Submit, do.Follow]

    asyncio.run(main())


def test_a_step_that_fails_is_in_the_log_and_stops_nothing(caplog):
    async def main():
        carrier = Carrier(bad=(do.FrontOpen,), slow=(do.Say,))
        carrier.gate.set()
        carrier.tell(*PENDING)
        await carrier.driver.until(lambda life: life.stage is Stage.PENDING)
        assert do.Follow in carrier.done

    asyncio.run(main())
    assert "FrontOpen" in caplog.text


def test_an_event_that_comes_of_an_effect_is_taken_after_what_is_before_it():
    async def main():
        carrier = Carrier()

        def answered(effect):
            carrier.done.append(type(effect))
            if isinstance(effect, do.Fetch):
                carrier.tell(on.Fetched(1))

        carrier.driver._do = answered
        carrier.tell(on.Start(), on.Stop())
        assert carrier.done.index(do.Fetch) < carrier.done.index(do.Submit) < carrier.done.index(do.FrontEnd)

    asyncio.run(main())


def test_a_time_that_was_asked_for_comes_and_one_that_was_taken_back_does_not(monkeypatch):
    monkeypatch.setattr(state, "VERDICT_S", 0.01)
    monkeypatch.setattr(state, "FAREWELL_S", 0.01)

    async def main():
        carrier = Carrier()
        carrier.tell(*PENDING, on.Hello(1, run="a"), on.Bye(1, "x"))
        assert carrier.driver.life.stage is Stage.PARTING
        await carrier.driver.until(lambda life: life.mode is Mode.ENDED)
        assert do.CancelJob in carrier.done, "nobody has said that the job is over"
        other = Carrier()
        other.tell(*PENDING, on.Hello(1, run="a"), on.Bye(1, "x"), on.Hello(1, run="b"))
        assert not other.driver._timers

    asyncio.run(main())


class Stopping:
    """Stands for a launch: notes that it was ended, or fails at it."""

    def __init__(self, together, *, fails=False):
        self._together, self._fails, self.ended = together, fails, False

    async def stop(self):
        if self._fails:
            raise OSError("no")
        self._together.append(self)
        while len(self._together) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        self.ended = True


def test_all_launches_are_ended_at_once_and_one_that_fails_keeps_none(caplog):
    hub = Hub(Policy(), engine=str, scheduler=str, store=None)
    together = []
    launches = [Stopping(together), Stopping(together, fails=True), Stopping(together)]
    hub.launches = set(launches)
    hub.close()
    assert [launch.ended for launch in launches] == [True, False, True]
    assert "could not be ended" in caplog.text
    hub.close()
