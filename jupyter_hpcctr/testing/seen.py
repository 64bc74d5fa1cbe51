"""What a program in a container sees, told by a program that looks, and what is wrong with it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..core.job import Output
from ..errors import EngineError
from ..guest import environment
from .node import Node

LOOK = """
import json, os, re, sys
def creates(path):
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
    except OSError:
        return False
    os.unlink(path)
    return True
text = lambda raw: raw.decode("utf-8", "surrogateescape")
unescape = lambda found: bytes([int(found[1], 8)])
mounts = [re.sub(rb"\\\\([0-7]{3})", unescape, l.split()[4]) for l in open("/proc/self/mountinfo", "rb")]
status = dict(line.rstrip("\\n").partition(":\\t")[::2] for line in open("/proc/self/status"))
pairs = [pair.partition(b"=")[::2] for pair in open("/proc/self/environ", "rb").read().split(b"\\0") if pair]
json.dump({
    "words": sys.argv[1:], "cwd": os.getcwd(), "pid": os.getpid(), "ids": [os.getuid(), os.getgid()],
    "env": {text(k): text(v) for k, v in pairs}, "mounts": [text(m) for m in mounts],
    "no_new_privs": status["NoNewPrivs"], "writable": [d for d in ("/", "/usr/", "/etc/") if creates(d + ".probe")],
    "shm_device": os.stat("/dev/shm").st_dev,
    "namespaces": {n: os.readlink("/proc/self/ns/" + n) for n in ("user", "mnt", "net", "ipc", "pid", "uts")},
}, sys.stdout)
"""
"""A Python program that prints what it sees as JSON."""

Run = Callable[[Sequence[str]], Output]


def look(run: Run, *, python: str = "python3", words: Sequence[str] = ()) -> Mapping[str, Any]:
    """Run ``LOOK`` with ``words`` by a Node's ``command`` or ``join`` and return what it saw.

    Raises
    ------
    EngineError
        It did not run, or said something else.
    """
    out = run((python, "-c", LOOK, *words))
    if out.returncode != 0:
        raise EngineError(f"status {out.returncode}: {out.stderr[-2000:]}", hint="run the engine's words by hand")
    seen: Mapping[str, Any] = json.loads(out.stdout)
    return seen


def broken_promises(
    inside: Mapping[str, Any], node: Node, *, words: Sequence[str] = (), marks: frozenset[str] = frozenset()
) -> list[str]:
    """Return what an engine did not keep, as sentences; empty where all is well.

    Parameters
    ----------
    inside : mapping
        What ``look`` saw.
    node : Node
        Where it looked.
    words : sequence of str
        The words that it was given.
    marks : frozenset of str
        Names of the variables by which an engine tells programs that they are in a container.
    """
    container = node.container
    env = {name: value for name, value in inside["env"].items() if name not in marks}
    bare = container.kind == "none"
    outside = environment.compose({}, node.host_env, environment.HOST_ENV, node.policy.drop_env) if bare else {}
    expected: list[tuple[str, object, object]] = [
        ("words", list(words), inside["words"]),
        ("work directory", container.workdir, inside["cwd"]),
        ("uid and gid", [os.getuid(), os.getgid()], inside["ids"]),
        ("environment", {**outside, **node.inside()}, env),
        ("device of /dev/shm", os.stat("/dev/shm").st_dev, inside["shm_device"]),  # noqa: PTH116, S108
        *((f"{ns} namespace", os.readlink(f"/proc/self/ns/{ns}"), inside["namespaces"][ns]) for ns in ("net", "pid")),  # noqa: PTH115
    ]
    if not bare:
        expected += [
            ("NoNewPrivs", "1", inside["no_new_privs"]),
            ("writable places of the image", [], inside["writable"]),
            *((f"times that {m.target!r} is mounted", 1, inside["mounts"].count(m.target)) for m in container.mounts),
        ]
    return [f"{what}: {wanted!r} wanted, {got!r} seen" for what, wanted, got in expected if wanted != got]
