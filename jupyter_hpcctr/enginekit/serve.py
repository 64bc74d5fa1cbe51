"""Runs the command that starts a container, on an image that is mounted for it alone:
``serve.py [--hide-cgroups] ENV_FILE IMAGE MOUNT_POINT COMMAND WORDS...``.

Run by the host's Python as ``python3 -S -E``. IMAGE is a SquashFS file, which squashfuse mounts at MOUNT_POINT in a
user and a mount namespace of our own: no setuid program is needed, nobody else sees it, and the mount goes with us.
The user's id stays what it is. The command has the environment of ENV_FILE, lines of ``NAME='value'``.
``--hide-cgroups`` covers the node's control groups, for runtimes that refuse the way in which they are mounted.

With IMAGE "" nothing is mounted. This process is the command's parent: it hands on SIGTERM, SIGINT and SIGHUP, ends
with the command, with its exit status, or 128 and its signal, and the command ends with it and with whoever started us.
Exit status 127: a program is missing. Standard library alone, Python 3.9.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found,unused-ignore]  # signal(3) itself brings in enum and more
import ctypes
import os
import select
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from spaces import _call, become, fail, read_environment  # type: ignore[import-not-found,unused-ignore]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000  # sched.h
MS_RDONLY, MS_NOSUID, MS_NODEV = 1, 2, 4  # mount(2)
PR_SET_PDEATHSIG, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 47, 2  # prctl(2)
CAP_SYS_ADMIN = 21
CAP_VERSION_3 = 0x20080522  # capget(2)
CGROUPS = "/sys/fs/cgroup"
PROGRAMS = ("squashfuse_ll", "squashfuse")
PATIENCE_S, TICK_S = 30.0, 0.001
_LIBC = ctypes.CDLL(None, use_errno=True)


def main(argv: list[str]) -> NoReturn:
    """Mount, start the command, and look after both."""
    options = {word for word in argv[1:2] if word.startswith("--")}
    env_file, image, mount_point, *words = argv[1 + len(options) :]
    env = read_environment(env_file)
    program = which(words[0]) or ""  # of the node, whatever the PATH of the image is
    if not program:
        fail(127, f"{words[0]}: not found on this node")
    parent = os.getppid()
    try:
        if image or options:
            unshare()
        if options:
            _mount(b"tmpfs", CGROUPS, b"tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV)
    except OSError as error:
        fail(126, f"this node does not let users make namespaces ({error.strerror}): the image cannot be mounted")
    server = serve(image, mount_point) if image else 0
    sys.exit(look_after(start([program, *words[1:]], env), server, parent))


def unshare() -> None:
    """Enter a user and a mount namespace of our own, as the user that we are; raises ``OSError``."""
    uid, gid = os.getuid(), os.getgid()
    _call("unshare", CLONE_NEWUSER | CLONE_NEWNS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _mount(source: bytes, target: str, kind: bytes, flags: int) -> None:
    if _LIBC.mount(source, target.encode(), kind, ctypes.c_ulong(flags), None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def serve(image: str, mount_point: str) -> int:
    """Mount an image, and return the process that serves it."""
    program = next((found for name in PROGRAMS if (found := which(name))), None)
    if program is None:
        fail(127, f"{PROGRAMS[0]}: not found, and without it this engine cannot mount an image")
    os.makedirs(mount_point, mode=0o700, exist_ok=True)
    before = os.stat(mount_point).st_dev
    own, pid = os.getpid(), os.fork()
    if pid == 0:
        _die_with(own)
        _keep_to_mount()
        become([program, "-f", "-o", "ro,nosuid,nodev", image, mount_point], dict(os.environ))
    until = time.monotonic() + PATIENCE_S
    while os.stat(mount_point).st_dev == before:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended or time.monotonic() > until:
            fail(126, f"{program} has not mounted {image} (status {os.waitstatus_to_exitcode(status)})")
        time.sleep(TICK_S)
    return pid


def which(name: str) -> str | None:
    """Return the path of one of the node's programs, None where there is none."""
    for directory in os.environ.get("PATH", os.defpath).split(":"):
        path = os.path.join(directory, name)
        if os.access(path, os.X_OK):
            return path
    return None


def _keep_to_mount() -> None:
    """Let the next program have the one right that it needs in our namespaces (capabilities(7), "Ambient")."""
    data = struct.pack("=6I", *([1 << CAP_SYS_ADMIN] * 3), 0, 0, 0)
    _LIBC.capset(struct.pack("=Ii", CAP_VERSION_3, 0), data)
    _LIBC.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0)


def _die_with(parent: int) -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it has ended before it could be asked for
        os.kill(os.getpid(), signal.SIGKILL)


def start(words: list[str], env: dict[str, str]) -> int:
    """Start the command, and return its process."""
    own, pid = os.getpid(), os.fork()
    if pid == 0:
        _die_with(own)
        become(words, env)
    return pid


def look_after(command: int, server: int, parent: int) -> int:
    """Wait until the command, the image's server (0: none) or our parent has ended; end the rest, return a status."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(command, number))
    waiting = select.poll()
    for pid in filter(None, (command, server, parent)):
        try:
            waiting.register(os.pidfd_open(pid), select.POLLIN)
        except ProcessLookupError:  # our parent
            os.kill(command, signal.SIGKILL)
    while os.getppid() == parent and not waiting.poll(1000):
        pass
    ended, status = os.waitpid(command, os.WNOHANG)
    if not ended:
        os.kill(command, signal.SIGKILL)
        status = os.waitpid(command, 0)[1]
    if server:
        os.kill(server, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    main(sys.argv)
