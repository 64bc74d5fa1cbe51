"""A link and an agent in a network of their own, in which packets are dropped or connections reset for a while.

    unshare --user --map-root-user --net python -m support.lossy DIRECTORY SECONDS RULE...

Each RULE is what iptables(8) appends to a chain; ``PORT`` in it stands for the link's port. Prints, as JSON, whether
everything arrived once and in order, and the seconds from the end of the loss until it was there.
"""

import json
import pathlib
import subprocess
import sys
import time

from support.links import Both, texts, until


def main(directory, seconds, rules):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    both, said = Both(pathlib.Path(directory), wired=False), 0
    port = both.agent.line._link.addresses[0].rpartition(":")[2]

    def talk(seconds):
        nonlocal said
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            both.command(str(said).encode())
            both.agent.to_say.append(str(said).encode())
            said += 1
            time.sleep(0.02)

    talk(0.5)
    before = len(both.heard)
    for action in ("-A", "-D"):
        for rule in rules:
            words = [word.replace("PORT", port) for word in rule.split()]
            subprocess.run(["iptables", action, *words], check=True)
        if action == "-A":
            talk(seconds)
    began = time.monotonic()
    talk(0.1)
    until(lambda: len(both.heard) >= said and len(both.agent.heard) >= said, 120)
    took = time.monotonic() - began
    expected = texts(0, said)
    right = both.heard == expected and both.agent.heard == expected
    print(json.dumps({"right": right, "said": said, "before": before, "seconds": round(took, 2)}))
    both.close()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
