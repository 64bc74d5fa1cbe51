"""Empty cells of many kernels at once, and output across a network that stops: through the product, and directly."""

import threading
import time

import zmq
from place import ByHand, OursHere, end
from probe import Probe
from report import Row, goal, median
from support.wire import between_link_and_agents

MB = 1_000_000
OUTPUT = "for i in range({lines}): print('x' * 999)"


def measure(place, effort):
    """Return the rows of the table; no kernel is in an image or waits for Slurm."""
    return _many(place, effort) + _stopped(place, effort)


def _ours(_):
    return OursHere()


def _by_hand(place):
    return ByHand(place["directory"])


def _many(place, effort):
    """Each kernel gets its next cell when the one before has ended; ours and the others run in turn."""
    number, cells, rounds = effort.of((50, 20, 3), (50, 10, 1), (2, 2, 1))
    kernels = {make: [make(place) for _ in range(number)] for make in (_ours, _by_hand)}
    rates = {make: [] for make in kernels}
    try:
        for each in kernels.values():
            for kernel in each:
                kernel.first_result()
        for turn in range(rounds + effort.warms):
            for make, each in kernels.items():
                seconds = _together(each, cells)
                if turn >= effort.warms:
                    rates[make].append(number * cells / seconds)
    finally:
        for each in kernels.values():
            for kernel in each:
                kernel.stop()
        end()
    ours, limit = median(rates[_ours]), median(rates[_by_hand])
    label = f"empty cells of {number} kernels at once"
    return [
        Row(f"{label}, directly", limit, "cells/s", 1.0, None, "", rates[_by_hand]),
        Row(f"{label}, this product", ours, "cells/s", ours / limit, None, "", rates[_ours]),
    ]


def _together(kernels, cells):
    """Seconds for so many empty cells in each of some kernels."""
    probes = [Probe(kernel.info) for kernel in kernels]
    poller, owner = zmq.Poller(), {}
    try:
        for probe in probes:
            probe.wait_until_heard()
            for socket in (probe.shell, probe.iopub):
                poller.register(socket, zmq.POLLIN)
                owner[socket] = probe
        began = time.perf_counter()
        waiting = {probe: probe.ask("") for probe in probes}
        left = dict.fromkeys(probes, cells)
        while waiting:
            ready = poller.poll(60_000)
            assert ready, f"no answer from {len(waiting)} kernels"
            for socket, _ in ready:
                probe, frames = owner[socket], socket.recv_multipart(copy=False)
                if probe in waiting and waiting[probe].heard(frames):
                    left[probe] -= 1
                    waiting.pop(probe)
                    if left[probe]:
                        waiting[probe] = probe.ask("")
        return time.perf_counter() - began
    finally:
        for probe in probes:
            probe.context.destroy(linger=0)


def _stopped(place, effort):
    """A cell's output while nothing passes for some seconds; those are not counted."""
    size, stop_s = effort.of((300, 30.0), (100, 10.0), (20, 0.5))
    code = OUTPUT.format(lines=size * 1000)
    with between_link_and_agents() as wire:
        ours, hand = _ours(place), _by_hand(place)
        try:
            ours.first_result(), hand.first_result()
            limit = size / _printed(hand, code, size)
            whole = size / (_printed(ours, code, size, wire, stop_s) - stop_s)
        finally:
            wire.mend()
            ours.stop(), hand.stop()
            end()
    label = f"{size} MB of stream output"
    return [
        Row(f"{label}, directly, nothing stops", limit, "MB/s", 1.0),
        Row(
            f"{label}, the network stops for {stop_s:g} s, this product",
            whole,
            "MB/s",
            whole / limit,
            goal(0.7, at_least=True),
            "all of it arrives; without the seconds of the stop",
        ),
    ]


def _printed(kernel, code, size, wire=None, stop_s=0.0):
    """Seconds until a cell's whole output is here; the wire stops when a tenth of it has come."""
    got = 0

    def seen(kind, parts):
        nonlocal got, wire
        got += len(parts[3]) if kind == "stream" else 0
        if wire is not None and got > size * MB / 10:
            wire.stop()
            threading.Timer(stop_s, wire.mend).start()
            wire = None

    with Probe(kernel.info) as probe:
        probe.wait_until_heard()
        began = time.perf_counter()
        probe.execute(code, seen, timeout_s=600)
        took = time.perf_counter() - began
    assert got >= size * MB, f"{got} of {size * MB} bytes arrived"
    assert wire is None, "the network never stopped"
    return took
