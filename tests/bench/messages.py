"""An empty cell's round trip and 100 MB of output: through front, link and agent, and directly."""

import contextlib
import time
from functools import partial

from jupyter_client.blocking.client import BlockingKernelClient
from place import Ours, directly, end
from probe import Probe
from report import Row, goal, median, p95

MB = 1_000_000
STREAM = "for i in range({lines}): print('x' * 999)"
DISPLAY = """
from IPython.display import publish_display_data
for i in range({times}): publish_display_data({{'text/plain': 'x' * 10_000_000}})
"""


def measure(place, effort):
    """Return the rows of the table. Both kernels are there all the time and are asked in turn."""
    trips, rounds, size = effort.of((200, 5, 100), (100, 2, 20), (10, 1, 10))
    ours = Ours(image=place["image"], engine="charliecloud", scheduler="slurm")
    hand = directly(place, "squashfs")
    lines, times = size * 1000, size // 10
    try:
        ours.first_result(), hand.first_result()
        with _user(ours) as through, _user(hand) as direct:
            rows = _trips("jupyter_client", partial(_cell, through), partial(_cell, direct), trips)
        with Probe(ours.info) as through, Probe(hand.info) as direct:
            through.wait_until_heard(), direct.wait_until_heard()
            rows += _trips("bare sockets", lambda: through.execute(""), lambda: direct.execute(""), trips)
            label, code = f"{size} MB of stream output", STREAM.format(lines=lines)
            rows += _throughput(through, direct, label, code, size, rounds)
            label, code = f"{times} display outputs of 10 MB", DISPLAY.format(times=times)
            rows += _throughput(through, direct, label, code, size, rounds)
    finally:
        ours.stop(), hand.stop()
        end()
    return rows


@contextlib.contextmanager
def _user(kernel):
    """jupyter_client's client, as nbclient and scripts have it."""
    client = BlockingKernelClient()
    client.load_connection_info(dict(kernel.info))
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield client
    finally:
        client.stop_channels()


def _cell(client):
    client.execute_interactive("", store_history=False, allow_stdin=False, timeout=60)


def _trips(client, through, direct, number):
    for cell in (through, direct):
        for _ in range(20):
            cell()
    took = {through: [], direct: []}
    for _ in range(number // 10):
        for cell, times in took.items():
            times += [_seconds(cell) * 1000 for _ in range(10)]
    ours, limit = took[through], took[direct]
    tail = p95(ours) / p95(limit)
    note, direct_note = (f"95 % within {p95(each):.1f} ms" for each in (ours, limit))
    return [
        Row(f"empty cell by {client}, directly", median(limit), "ms", 1.0, None, direct_note, limit),
        Row(
            f"empty cell by {client}, this product",
            median(ours),
            "ms",
            median(ours) / median(limit),
            goal(1.5),
            f"{note} ({tail:.2f})",
            ours,
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

    took = _seconds(lambda: probe.execute(code, seen))
    assert got >= expected, f"{got} of {expected} bytes arrived"
    return took


def _seconds(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
