"""A world around a launch's life: a scheduler, agents, a link and servers, each of which goes on when it is told to.

All of them are as awkward as they may be: answers are lost or come late, the controller is away, agents die without a
word, jobs are requeued, servers are killed. The link delivers in order and once, and keeps what is not delivered.
"""

from collections import deque
from dataclasses import dataclass, field

from jupyter_hpcctr.core.job import Ending, JobId, JobState, JobStatus
from jupyter_hpcctr.core.life import events
from jupyter_hpcctr.core.life.state import Known, Mode, deadlines, kept
from jupyter_hpcctr.core.life.words import Failure
from support.life_server import Server

REFUSED = Failure("SubmitRefused", "no")


@dataclass
class Agent:
    """What runs in a job: an agent, and perhaps a kernel."""

    run: str
    start: int = 1
    ready: bool = False
    begun: bool = True
    cells: list = field(default_factory=list)


class Job:
    """A job at the scheduler, with the agent in it and what is on its way between that and the server."""

    def __init__(self):
        self.state, self.runs, self.agent = "queued", 0, None
        self.to_server, self.to_agent = deque(), deque()

    @property
    def alive(self):
        return self.state in ("queued", "running")


class World:
    """Everything around one launch."""

    def __init__(self):
        self.jobs, self.on_its_way = {}, []
        self.awake, self.up = True, True
        self.record, self.finished, self.executed = None, set(), []
        self.server = self.owner = None
        self.sent = 0
        self.serve()

    # -- servers

    def serve(self):
        """A server begins, with a new launch or with one that it takes over."""
        self.server = self.owner = Server(self)
        if self.record is None:
            self.server.tell(events.Start())
            return
        self.server.admitted = {n for n in self.jobs}
        self.server.tell(events.Adopt(self.record))
        for job in self.jobs.values():
            if job.agent:
                a = job.agent
                job.to_server.appendleft(events.Hello(self._number(job), run=a.run, start=a.start, ready=a.ready))
                if self.server.life.job and self._number(job) == self.server.life.job.number:
                    self.server.running += [c for c in a.cells if c not in self.finished]

    def _number(self, job):
        return next(n for n, each in self.jobs.items() if each is job)

    def crash(self):
        """The server is killed: what it held and awaited is lost, what is on the link is not."""
        self.finished.update(self.server.held)  # their page has lost its server, and says so
        self.owner = None

    # -- the scheduler

    def arrive(self):
        """What was submitted reaches the scheduler."""
        for number in self.on_its_way:
            self.jobs[number] = Job()
        self.on_its_way.clear()

    def answer(self, index, lucky):
        """One question of the server is answered: as one would like, or not."""
        server = self.server
        kind, number = server.asked.pop(index)
        if self.awake and kind != "Fetch" and (kind != "Submit" or lucky):
            self.arrive()
        job = self.jobs.get(number)
        if kind == "Fetch":
            event = events.Fetched(number) if lucky else events.FetchFailed(number, REFUSED)
        elif kind == "Submit":
            event = self._outcome(number, lucky)
        elif not self.awake:
            event = events.NoAnswer(number) if kind == "Seek" else events.CancelFailed(number)
        elif kind == "Seek":
            event = events.Found(number, JobId(str(number))) if job else events.NotFound(number)
        else:
            event = events.CancelDone(number)
            if job:
                self.end(job, politely=lucky)
        server.tell(event)

    def _outcome(self, number, lucky):
        if not self.awake:
            return events.OutcomeUnknown(number)
        if lucky:
            return events.Submitted(number, JobId(str(number)))
        if number % 2 and number in self.on_its_way:
            self.on_its_way.remove(number)
            return events.Refused(number, REFUSED)
        return events.OutcomeUnknown(number)

    def poll(self):
        """What the scheduler said last arrives, and it is asked for what is new of the jobs that are followed."""
        news, self.server.news = self.server.news, []
        for each in news:
            self.server.tell(each)
        if not self.awake:
            return
        for number, last in list(self.server.followed.items()):
            job = self.jobs[number]
            now = (job.state, job.runs)
            if now == last or number not in self.server.followed:
                continue
            self.server.followed[number] = now
            again = job.state == "queued" and last is not None
            state = {"queued": JobState.PENDING, "running": JobState.RUNNING, "ended": JobState.ENDED}[job.state]
            status = JobStatus(JobId(str(number)), state, ending=Ending.FAILED if job.state == "ended" else None)
            kind = {"running": events.Running, "ended": events.Ended}.get(job.state, events.Pending)
            self.server.news.append((events.Requeued if again else kind)(number, status))

    def end(self, job, *, politely):
        """A job ends, and its agent with it, with a last word or without."""
        if job.alive:
            self.part(job, politely=politely)
            job.state = "ended"

    def requeue(self, job, *, politely):
        self.part(job, politely=politely)
        job.state = "queued"

    def part(self, job, *, politely):
        if job.agent and politely:
            job.to_server.append(events.Bye(self._number(job), "signal 15"))
        job.agent = None
        job.to_agent.clear()

    # -- agents

    def work(self, job, *, lucky):
        """A job goes on by a step: it starts, its agent starts, its kernel is ready, or runs a cell, or dies."""
        number, agent = self._number(job), job.agent
        if job.state == "queued":
            job.state = "running"
        elif agent is None:
            job.runs += 1
            job.agent = Agent(f"{number}.{job.runs}")
            job.to_server.append(events.Hello(number, run=job.agent.run, start=1))
        elif not lucky and agent.begun:
            job.to_server.append(events.Exited(number, agent.start, -9, ready=agent.ready))
            was_ready, agent.ready, agent.begun, agent.cells = agent.ready, False, False, []
            if not was_ready:
                self.end(job, politely=True)
        elif agent.begun and not agent.ready:
            agent.ready = True
            job.to_server.append(events.Ready(number, agent.start))
        elif agent.cells:
            cell = agent.cells.pop(0)
            self.executed.append(cell)
            job.to_server.append(cell)

    def obey(self, job):
        """The agent gets what was sent first."""
        if not (self.up and job.to_agent and job.agent):
            return
        (what, value), agent = job.to_agent.popleft(), job.agent
        if what == "cell" and agent.ready:
            agent.cells.append(value)
        elif what == "restart" and value > agent.start:
            agent.start, agent.ready, agent.begun, agent.cells = value, False, True, []
        elif what == "signal" and value == 9 and agent.begun:
            self.work(job, lucky=False)
        elif what == "end":
            self.end(job, politely=True)

    def deliver(self, job):
        """The server gets what the agent sent first."""
        number, server = self._number(job), self.server
        if not (self.up and job.to_server and number in server.admitted):
            return
        if number in server.silent:
            server.silent.discard(number)
            server.tell(events.Heard(number, job.agent.start if job.agent else 0))
        news = job.to_server.popleft()
        server.reply(news) if isinstance(news, int) else server.tell(news)

    def silence(self, job):
        """The agent has not been heard for a while."""
        number = self._number(job)
        if number in self.server.admitted and (not self.up or not job.agent):
            self.server.silent.add(number)
            self.server.tell(events.Silent(number))

    # -- what must be so

    def check(self):
        owners = {} if self.owner is None else self._known(self.owner.life)
        if self.record is not None and self.owner is None:
            owners = self._known(self.record)
        alive = {number for number, job in self.jobs.items() if job.alive} | set(self.on_its_way)
        assert alive <= owners.keys(), f"{alive - owners.keys()} without an owner"
        assert len(self.executed) == len(set(self.executed)), "a cell has run twice"
        if self.owner is not None:
            assert self.owner.life.settled or kept(self.owner.life) == self.record

    @staticmethod
    def _known(life):
        jobs = (*life.leaving, *([life.job] if life.job else ()))
        return {job.number: job for job in jobs if job.known is not Known.NOTHING}

    def calm(self):
        """Let everything come to rest: the controller answers, the link is up, time goes by."""
        self.awake = self.up = True
        for _ in range(300):
            before = (self.server.life, len(self.executed), [(j.state, j.agent and vars(j.agent).copy(),
                      len(j.to_server), len(j.to_agent)) for j in self.jobs.values()])  # fmt: skip
            while self.server.asked:
                self.answer(0, lucky=True)
            for job in list(self.jobs.values()):
                if job.state == "queued" or job.state == "running":
                    self.work(job, lucky=True)
                self.obey(job)
                self.deliver(job)
                if not job.agent and not job.to_server:
                    self.silence(job)
            self.poll()
            self.poll()
            self.check()
            after = (self.server.life, len(self.executed), [(j.state, j.agent and vars(j.agent).copy(),
                     len(j.to_server), len(j.to_agent)) for j in self.jobs.values()])  # fmt: skip
            if before == after:
                if not deadlines(self.server.life):
                    return
                self.server.tell(events.TimeUp(min(deadlines(self.server.life), key=str)))
        raise AssertionError("it does not come to rest")

    @property
    def wanted(self):
        return self.owner is not None and self.server.life.mode in (Mode.WANTED, Mode.ENDED)
