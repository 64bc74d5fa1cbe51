"""What is known of a launch at one moment, for those who show it: a value, made in the edge loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["fetching", "submitting", "pending", "starting", "running", "ended", "gone"]


@dataclass(frozen=True, slots=True)
class LaunchView:
    """One launch, as a person would be told of it.

    ``message`` is the sentence that the waiting cell shows. ``resources`` and ``request`` are as
    ``core.request.to_dict`` writes them, ``resources`` with the number of nodes always. ``submitted`` is in seconds
    since 1970, ``expected_start`` and ``end_time`` are local times as schedulers print them, ``end_time`` that of the
    time limit while the job runs. ``phases`` are seconds from the start of the launch. ``error`` is as
    ``errors.described`` writes it. ``fetch`` says how far a pull is, as ``core.pulling.figures`` does.
    ``checkpoint`` is as ``news.of_checkpoint`` returns it. ``seq`` grows with every change, over all launches of a
    process.

    A kernel whose process has died while its job goes on is "running", and ``message`` says it.
    """

    launch: str
    kernel_id: str = ""
    state: State = "submitting"
    message: str = ""
    reason: str = ""
    scheduler: str = ""
    engine: str = ""
    image: str = ""
    digest: str = ""
    job: str | None = None
    nodes: str = ""
    resources: Mapping[str, object] = field(default_factory=dict)
    request: Mapping[str, object] = field(default_factory=dict)
    expected_start: str | None = None
    submitted: float = 0.0
    end_time: str | None = None
    time_limit_minutes: int | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    fetch: Mapping[str, object] | None = None
    error: Mapping[str, object] | None = None
    checkpoint: Mapping[str, object] | None = None
    ending: str | None = None
    seq: int = 0
