"""The seams on one page: what an engine, a scheduler and an image store must offer.

A newcomer writes one class, registers it as an entry point of the group named with its seam, and runs
the contract suite of ``jupyter_hpcctr.testing`` over it. Engines and schedulers are pure: they
build words and questions and read answers; whoever calls them carries these out.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Protocol

from ..errors import ImageError
from ..protocol.container import Container, EngineCommand, ImageKind, NodeFacts, Program
from ..protocol.ranks import Steps
from .facts import ImageInfo, Site
from .job import Estimate, JobId, JobStatus
from .jobspec import JobSpec
from .questions import Asking, Service
from .request import ImageRef


class Engine(Protocol):
    """Puts programs into containers. Entry-point group ``jupyter_hpcctr.engines``.

    A class that is called without arguments. It decides on the node, with what that is like, and its module goes there
    with the job: it imports the standard library (Python 3.9), ``jupyter_hpcctr.protocol``, ``errors`` and
    ``enginekit``, and what is in its own package. It returns commands, which others run.
    """

    name: str
    accepts: tuple[ImageKind, ...]
    shares: bool
    """Whether programs can enter a container that runs. Else each gets one of its own."""

    def check(self, container: Container) -> None:
        """Refuse, before anything is submitted, what this engine cannot do or cannot write down.

        Called by ``plan`` once a launch, and on the node once the mounts of its devices are known. Raises
        ``EngineError``.
        """
        ...

    def start(self, container: Container, program: Program, node: NodeFacts) -> EngineCommand:
        """Start a container with one program, which is parked for others to enter where ``shares``.

        The parked program writes its process id to a file, so the command may become it or be its parent; when one
        of them ends, the other must end too. ``plan`` shows the words for a node of which nothing is known.
        """
        ...

    def enter(self, container: Container, pid: str, program: Program, node: NodeFacts) -> EngineCommand:
        """Run a program in the container of the parked process ``pid``, in all of its namespaces.

        For the kernel, for each restart and for each rank. Not called unless ``shares``.
        """
        ...

    def remove(self, container: Container, node: NodeFacts) -> EngineCommand | None:
        """Remove what is left of a container whose processes and starter may have been killed.

        Run when a job ends, and, where its agent was killed, by the next one on that node. None where nothing stays.
        """
        ...


class Scheduler(Protocol):
    """Starts jobs. Entry-point group ``jupyter_hpcctr.schedulers``. Derive from it, and what has a default is there.

    Each step is an ``Asking``: a generator that yields questions (``Command``, ``Request``, ``Call``), is sent their
    answers and returns what it has read, so that answers of other releases can be recorded and replayed. Where a
    question has no answer, ``SchedulerUnreachable`` is raised at its ``yield``, and nothing is concluded. What goes
    wrong in reading an answer counts as no answer too.
    """

    name: str
    keep_env: tuple[str, ...] = ()
    """Patterns of the variables that its commands, workers and endpoints need besides PATH, HOME, USER and the
    locale."""
    services: Mapping[str, Service] = MappingProxyType({})
    """What its requests and calls go to, by name; the site's ``endpoints`` of the same names are preferred."""
    job_env: tuple[str, ...] = ()
    """Patterns of the variables that tell a job's processes their place: passed on to the kernel, never an image's."""
    secret_env: tuple[str, ...] = ()
    """Patterns of those that tell a secret or lead astray: never passed on."""

    @abstractmethod
    def submit(self, spec: JobSpec) -> Asking[JobId]:
        """Submit a job. The first question is what ``plan`` and the form show.

        Raises ``RequestError`` before the first question for what cannot be written down, ``SubmitRefused`` where the
        answer is no. The same job makes the same first question.
        """
        ...

    @abstractmethod
    def find(self, tokens: Collection[str]) -> Asking[Mapping[str, JobId]]:
        """Return the newest job of each of these tokens (``JobSpec.token``), ended ones as well.

        Called when the outcome of a submission is not known. Jobs with other tokens may be among them.
        """
        ...

    @abstractmethod
    def query(self, jobs: Collection[JobId]) -> Asking[Mapping[JobId, JobStatus]]:
        """Say where jobs stand, in one question for all; called by the one poller of a server.

        A job that is not in the answer is not known (any more).
        """
        ...

    @abstractmethod
    def settle(self, job: JobId) -> Asking[JobStatus]:
        """Say how one job ended, called once when it has left the queue or its agent is gone.

        Where one memory has forgotten it, ask the next, longer one; state UNKNOWN where all have.
        """
        ...

    @abstractmethod
    def cancel(self, jobs: Collection[JobId]) -> Asking[None]:
        """End jobs, pending or running, and remove what was made for them. Ending a job that is gone is no error."""
        ...

    @abstractmethod
    def signal(self, job: JobId, signum: int) -> Asking[None]:
        """Send a signal to the job's first process, called when the agent does not answer."""
        ...

    @abstractmethod
    def site(self, *, user: str = "") -> Asking[Site]:
        """Say version, controller and partitions, called rarely and cached.

        ``user`` is whose accounts are asked for; where it is "", none are. Some questions may have no answer: then
        nothing is known of what they ask for.
        """
        ...

    def last_words(self, status: JobStatus, log: str) -> JobStatus:
        """Complete what is known of a job that failed by what the scheduler has written to the end of its log."""
        return status

    def estimate(self, spec: JobSpec) -> Asking[Estimate] | None:
        """Say when a job would start, and submit nothing; None where nobody can tell. Called for previews.

        Raises as ``submit`` does, ``SubmitRefused`` where such a job can never run.
        """
        return None

    def steps(self) -> Steps | None:
        """Words that start processes within a running job, and what else its processes can know of it.

        Called by ``plan``; the job's side fills the words in and runs them in the environment of the job's first
        process. None where there are no such words: mpiexec(1) starts the ranks, all on the kernel's node.
        """
        return None


class ImageStore(Protocol):
    """Knows which bytes a name stands for, and keeps them. Group ``jupyter_hpcctr.image_stores``.

    The factory is called with the ``Policy``.
    """

    def find(self, ref: ImageRef) -> ImageInfo | None:
        """Return what the store holds under this name, without asking anybody else. Called at each launch."""
        ...

    def missing(self, image: ImageInfo, paths: Collection[str]) -> tuple[str, ...]:
        """Return those of some absolute paths that an image is known not to have, neither directory nor file.

        Called at a launch for places to mount on that no directory can be made for. Where it cannot be known,
        the job finds out.
        """
        ...

    def pull(self, ref: ImageRef, report: Callable[[str], None]) -> ImageInfo:
        """Resolve the name to a digest and fetch it once; may take minutes.

        ``report`` is told each step, best as a ``PullStep`` and each second; what it raises ends the pull and is
        raised. Raises ``ImageError``.
        """
        ...

    def search(self, text: str) -> tuple[tuple[str, ...], tuple[ImageError, ...]]:
        """Return references with a text in them that the site's registries (``policy.registries``) have.

        May take seconds. Behind them is an error for each registry that did not answer, which is its ``field``.
        """
        ...

    def check(self, ref: ImageRef) -> int:
        """Ask where an image comes from whether it is there; return the bytes to fetch, 0 where nobody says.

        Called while a form is open, for images that are not in the store. May take seconds. Raises ``ImageError``
        where there is no such image, a ``transient`` one where that is not known now.
        """
        ...

    def near(self, ref: ImageRef) -> tuple[str, ...]:
        """Return references that differ little from one that there is not. May take seconds; raises nothing."""
        ...

    def list(self) -> tuple[ImageInfo, ...]:
        """Return all images, newest first."""
        ...

    def remove(self, ref: ImageRef) -> None:
        """Forget a name, and delete the image when no name is left. Raises ``ImageError`` where there is none."""
        ...
