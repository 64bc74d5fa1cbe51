"""Figures for Prometheus, on the server's ``/metrics``; ``docs/monitoring.md`` says what they mean."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import get_args

import prometheus_client
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from .. import compose
from ..edge import process
from ..edge.figures import Counts, Labels, Spread, Times
from ..edge.link import Totals
from ..launch import Hub
from ..launch.view import State

STATES = tuple(state for state in get_args(State) if state != "gone")


@functools.cache
def register() -> None:
    """Have the process's registry collect them, once for all servers of the process."""
    prometheus_client.REGISTRY.register(Figures(compose.hubs))


class Figures(Collector):
    """What the hubs of a process know, when it is asked for. Nothing in it says who the user is.

    Parameters
    ----------
    hubs : callable
        Gives those that there are now.
    """

    def __init__(self, hubs: Callable[[], Iterable[Hub]]) -> None:
        self._hubs = hubs

    def describe(self) -> list[Metric]:
        """Return nothing, so that nobody is asked when this is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Return them all."""
        hubs = tuple(self._hubs())
        records = [hub.recorder for hub in hubs]
        yield _counter("hpcctr_starts", "Jobs asked for", ["kind"], [each.starts for each in records])
        yield _counter("hpcctr_failures", "Starts that failed", ["stage"], [each.failures for each in records])
        yield _counter("hpcctr_ends", "Jobs that ended, by how", ["ending"], [each.ends for each in records])
        yield _histogram(
            "hpcctr_start_seconds",
            "From the request to a kernel that is ready",
            ["scheduler", "engine"],
            [each.ready for each in records],
        )
        yield _histogram(
            "hpcctr_phase_seconds", "Each part of a start", ["phase"], [each.phases for each in records]
        )
        yield _kernels(hubs)
        yield from _link([hub.totals() for hub in hubs])
        yield _histogram(
            "hpcctr_command_seconds",
            "Commands of the scheduler and of image tools",
            ["command", "outcome"],
            [process.SECONDS],
        )


def _counter(name: str, text: str, labels: list[str], parts: list[Counts]) -> Metric:
    metric, sums = CounterMetricFamily(name, text, labels=labels), Counter[Labels]()
    for part in parts:
        sums.update(part.found())
    for found, number in sums.items():
        metric.add_metric(found, number)
    return metric


def _histogram(name: str, text: str, labels: list[str], parts: list[Times]) -> Metric:
    metric, sums = HistogramMetricFamily(name, text, labels=labels), dict[Labels, Spread]()
    for part in parts:
        _add(sums, part.found())
    for found, spread in sums.items():
        bounds = (*(str(bound) for bound in parts[0].bounds), "+Inf")
        metric.add_metric(found, list(zip(bounds, spread.counts, strict=True)), spread.sum)
    return metric


def _add(sums: dict[Labels, Spread], more: Mapping[Labels, Spread]) -> None:
    for labels, spread in more.items():
        known = sums.get(labels, Spread((0,) * len(spread.counts), 0.0))
        counts = tuple(a + b for a, b in zip(known.counts, spread.counts, strict=True))
        sums[labels] = Spread(counts, known.sum + spread.sum)


def _kernels(hubs: Iterable[Hub]) -> Metric:
    found = Counter(view.state for hub in hubs for view in hub.views())
    metric = GaugeMetricFamily("hpcctr_kernels", "Kernels of this server, by the state of their job", labels=["state"])
    for state in STATES:
        metric.add_metric([state], found[state])
    return metric


def _link(parts: list[Totals]) -> Iterator[Metric]:
    total = Totals(*map(sum, zip(Totals(), *parts, strict=True)))
    messages = CounterMetricFamily("hpcctr_link_messages", "Messages between server and jobs", labels=["direction"])
    messages.add_metric(["sent"], total.sent)
    messages.add_metric(["received"], total.received)
    yield messages
    yield CounterMetricFamily("hpcctr_link_resent_messages", "Messages sent again to a job", total.resent)
    yield CounterMetricFamily("hpcctr_link_lost_messages", "Messages that never arrived", total.lost)
    yield GaugeMetricFamily("hpcctr_link_kept_bytes", "Bytes that wait for a job's connection", total.kept_bytes)
