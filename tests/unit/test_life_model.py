"""A launch's life in a world where anything may come at any time: no lost cell, no job without an owner."""

import tempfile

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.life_world import World

from jupyter_hpcctr.core.life import events
from jupyter_hpcctr.core.life.state import Mode, Stage, Wish, deadlines

HOME = tempfile.TemporaryDirectory()
set_hypothesis_home_dir(HOME.name)
ANY = st.integers(0, 7)


class Launch(RuleBasedStateMachine):
    """Rules are what may happen next; what must be so is seen after each, and when all has come to rest."""

    def __init__(self):
        super().__init__()
        self.world = World()

    def job(self, number):
        jobs = list(self.world.jobs.values())
        return jobs[-1 - number % len(jobs)]

    def tell(self, event):
        self.world.server.tell(event)

    # -- the user

    @precondition(lambda self: self.world.wanted)
    @rule()
    def send_a_cell(self):
        self.world.sent += 1
        self.world.server.cell(self.world.sent)

    @precondition(lambda self: self.world.wanted)
    @rule(event=st.sampled_from([events.Interrupt(), events.Cancel(), events.Signal(10)]))
    def ask(self, event):
        self.tell(event)

    @precondition(lambda self: self.world.wanted)
    @rule(kill=st.booleans())
    def begin_a_restart(self, kill):
        self.tell(events.Kill(9, restart=True) if kill else events.Shutdown(restart=True))

    @precondition(lambda self: self.world.wanted)
    @rule()
    def restart(self):
        self.tell(events.Restart())

    @precondition(lambda self: self.world.wanted and self.world.sent > 2)
    @rule(event=st.sampled_from([events.Shutdown(), events.Stop(), events.Detach()]))
    def end(self, event):
        self.tell(event)

    # -- servers

    @precondition(lambda self: self.world.owner is not None and not self.world.server.life.settled)
    @rule()
    def the_server_is_killed(self):
        self.world.crash()
        self.world.serve()

    @precondition(lambda self: self.world.server.life.mode is Mode.DETACHED)
    @rule()
    def a_new_server_takes_over(self):
        self.world.serve()

    @precondition(lambda self: self.world.wanted and not self.world.on_its_way)
    @rule()
    def another_server_takes_over(self):
        old = self.world.server
        old.tell(events.TakenOver("another server"))
        self.world.serve()
        old.tell(events.Restart())
        old.tell(events.Stop())
        assert old.life.stage is Stage.GONE

    # -- scheduler, agents, link, clock

    @precondition(lambda self: self.world.server.asked)
    @rule(index=ANY, lucky=st.sampled_from([True, True, False]))
    def an_answer_comes(self, index, lucky):
        self.world.answer(index % len(self.world.server.asked), lucky)

    @rule()
    def the_controller_is_away_or_back(self):
        self.world.awake = not self.world.awake

    @rule()
    def the_link_is_cut_or_mended(self):
        self.world.up = not self.world.up

    @rule()
    def the_scheduler_is_asked(self):
        self.world.poll()

    @precondition(lambda self: self.world.jobs)
    @rule(number=ANY, lucky=st.sampled_from([True, True, True, True, False]), what=ANY)
    def a_job_goes_on(self, number, lucky, what):
        job = self.job(number // 3)
        if job.alive:
            self.world.work(job, lucky=lucky)
        if what % 2:
            self.world.deliver(job)
            self.world.obey(job)

    @precondition(lambda self: self.world.jobs)
    @rule(number=ANY, how=st.sampled_from(["deliver", "obey", "silence"]))
    def the_link_delivers(self, number, how):
        getattr(self.world, how)(self.job(number // 3))

    @precondition(lambda self: self.world.jobs)
    @rule(number=ANY, how=st.sampled_from(["end", "requeue", "part"]), politely=st.booleans())
    def a_job_is_ended_or_requeued(self, number, how, politely):
        job = self.job(number // 3)
        if job.state == "running" and (how != "part" or job.agent):
            getattr(self.world, "end" if how == "part" else how)(job, politely=politely)

    @precondition(lambda self: deadlines(self.world.server.life))
    @rule(index=ANY)
    def time_goes_by(self, index):
        due = sorted(deadlines(self.world.server.life), key=str)
        self.tell(events.TimeUp(due[index % len(due)]))

    # -- what must be so

    @invariant()
    def no_job_is_without_an_owner(self):
        self.world.check()

    def teardown(self):
        world = self.world
        if world.server.life.mode is Mode.DETACHED:
            world.serve()
        world.calm()
        for _ in range(3):  # what Jupyter does in the end
            life = world.server.life
            if life.wish is Wish.RESTART or (life.exit_code is not None and life.mode is Mode.WANTED):
                self.tell(events.Stop() if life.wish is Wish.END else events.Restart())
                world.calm()
        if world.wanted:
            assert world.server.life.stage in (Stage.RUNNING, Stage.ENDED)
            assert world.finished >= set(range(1, world.sent + 1)), "a cell is lost"
            self.tell(events.Stop())
            world.calm()
        assert world.finished >= set(range(1, world.sent + 1)), "a cell is lost"
        assert world.server.life.settled or world.server.life.stage is Stage.GONE
        assert world.server.life.settled, world.server.life
        assert world.record is None
        assert not any(job.alive for job in world.jobs.values())


Launch.TestCase.settings = settings(
    derandomize=True, deadline=None, database=None, max_examples=100, stateful_step_count=50,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
TestLife = Launch.TestCase
