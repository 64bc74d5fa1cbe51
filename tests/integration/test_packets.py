"""Packets that are really dropped, connections that are really reset, between a server's link and an agent's line."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).parents[1]
TO_SERVER = "INPUT -p tcp --dport PORT -j DROP"
TO_AGENT = "INPUT -p tcp --sport PORT -j DROP"
RESET = "INPUT -p tcp --dport PORT -j REJECT --reject-with tcp-reset"
HARM = {
    "both ways for 20 s": (20, TO_SERVER, TO_AGENT),
    "to the server for 25 s": (25, TO_SERVER),
    "to the agent for 25 s": (25, TO_AGENT),
    "reset for 3 s": (3, RESET),
}


def talk(directory, seconds, *rules):
    directory.mkdir()
    words = ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-m", "support.lossy"]
    env = {**os.environ, "PYTHONPATH": str(TESTS), "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    ran = subprocess.run(
        [*words, str(directory), str(seconds), *rules], env=env, capture_output=True, text=True, timeout=170
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_nothing_is_lost_when_packets_are_dropped_or_connections_reset(tmp_path):
    # Side by side: each is a network of its own, and waits most of the time.
    with ThreadPoolExecutor(len(HARM)) as pool:
        running = {what: pool.submit(talk, tmp_path / what.replace(" ", "-"), *how) for what, how in HARM.items()}
        found = {what: each.result() for what, each in running.items()}
    for what, how in HARM.items():
        print(what, found[what])
        assert found[what]["right"], (what, found[what])
        assert 0 < found[what]["before"] < found[what]["said"] - how[0] * 10
