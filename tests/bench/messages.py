"""An empty cell's round trip and 100 MB of output: through front, link and agent, and directly."""

import time

from place import Ours, directly, end
from probe import Probe
from report import Row, goal, median, p95

MB = 1_000_000
STREAM = "for i in range({lines}): print('x' * 999)"
DISPLAY = """
from IPython.display import publish_display_data
for i in range({times}): publish_display_data({{'text/plain': 'x' * 10_000_000}})
"""


def measure(place, *, quick):
    """Return the rows of the table. Both kernels are there all the time and are asked in turn."""
    trips, rounds, size = (100, 2, 20) if quick else (200, 5, 100)
    ours = Ours(image=place["image"], engine="charliecloud", scheduler="slurm")
    hand = directly(place, "squashfs")
    try:
        ours.first_result(), hand.first_result()
        with Probe(ours.info) as through, Probe(hand.info) as direct:
            through.wait_until_heard(), direct.wait_until_heard()
            rows = _trips(through, direct, trips)
            lines, times = size * 1000, size // 10
            rows += _throughput(
                through, direct, f"{size} MB of stream output", STREAM.format(lines=lines), size, rounds
            )
            code = DISPLAY.format(times=times)
            rows += _throughput(through, direct, f"{times} display outputs of 10 MB", code, size, rounds)
    finally:
        ours.stop(), hand.stop()
        end()
    return rows


def _trips(through, direct, number):
    for probe in (through, direct):
        for _ in range(20):
            probe.execute("")
    took = {through: [], direct: []}
    for _ in range(number // 20):
        for probe, times in took.items():
            times += [_timed(probe, "") * 1000 for _ in range(20)]
    ratio = median(took[through]) / median(took[direct])
    tail = p95(took[through]) / p95(took[direct])
    return [
        Row("empty cell, directly", median(took[direct]), "ms", 1.0, note=f"95 % within {p95(took[direct]):.1f} ms"),
        Row(
            "empty cell, this product",
            median(took[through]),
            "ms",
            ratio,
            goal(1.5),
            f"95 % within {p95(took[through]):.1f} ms ({tail:.2f})",
        ),
    ]


def _throughput(through, direct, label, code, size, rounds):
    rates = {through: [], direct: []}
    for number in range(rounds + 1):
        for probe, each in rates.items():
            seconds = _timed(probe, code, expected=size * MB)
            if number:
                each.append(size / seconds)
    limit, ours = median(rates[direct]), median(rates[through])
    return [
        Row(f"{label}, directly", limit, "MB/s", 1.0, None, "", rates[direct]),
        Row(f"{label}, this product", ours, "MB/s", ours / limit, goal(0.7, at_least=True), "", rates[through]),
    ]


def _timed(probe, code, *, expected=0):
    got = 0

    def seen(kind, parts):
        nonlocal got
        if kind in ("stream", "display_data"):
            got += len(parts[3])

    began = time.perf_counter()
    probe.execute(code, seen)
    took = time.perf_counter() - began
    assert got >= expected, f"{got} of {expected} bytes arrived"
    return took
