"""Enters the namespaces of a process, and becomes a program there: ``spaces.py PID ENV_FILE WORKDIR PROGRAM WORDS...``.

Run by the host's Python as ``python3 -S -E``, by the user whose process it is. It needs no privilege: who owns a user
namespace may enter it (user_namespaces(7), "Capabilities"). The program has the environment of ENV_FILE, lines of
``NAME='value'``, no capability, and ``no_new_privs``. Exit status 127 and 126 as a shell's: there is no such program,
or it cannot be run. Standard library alone, Python 3.9.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

SPACES = ("ipc", "uts", "net", "cgroup", "mnt")
NS_GET_USERNS = 0xB701  # ioctl_ns(2)
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38  # prctl(2)
CAPABILITIES = 64
_LIBC = ctypes.CDLL(None, use_errno=True)


def main(argv: list[str]) -> NoReturn:
    """Enter, and become the program."""
    pid, env_file, workdir, *words = argv[1:]
    env = read_environment(env_file)
    try:
        enter(pid)
        os.chdir(workdir)
        drop_privileges()
    except OSError as error:
        fail(126, f"the container of process {pid} cannot be entered: {error.strerror} ({error.filename or workdir})")
    become(words, env)


def read_environment(path: str) -> dict[str, str]:
    """Return the variables of a file of lines ``NAME='value'``."""
    with open(path, encoding="utf-8") as file:
        pairs = (line.partition("=") for line in file.read().split("\n") if line)
        return {name: value[1:-1] for name, _, value in pairs}


def enter(pid: str) -> None:
    """Enter all namespaces of a process that are not ours already, and its root directory.

    Raises
    ------
    OSError
        It is gone, or somebody else's.
    """
    own = {name: os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in (*SPACES, "user")}
    root = os.open(f"/proc/{pid}/root", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    owner = fcntl.ioctl(own["mnt"], NS_GET_USERNS)  # its process may be in one below that has no rights over the mounts
    for name, descriptor in (("user", owner), *((each, own[each]) for each in SPACES), ("user", own["user"])):
        if not _same(descriptor, f"/proc/self/ns/{name}"):
            set_namespace(descriptor)
    os.fchdir(root)
    if not _same(root, "/"):
        os.chroot(".")


def _same(descriptor: int, path: str) -> bool:
    there, here = os.fstat(descriptor), os.stat(path)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def set_namespace(descriptor: int) -> None:
    """Enter one namespace (setns(2)); raises ``OSError``."""
    _call("setns", descriptor, 0)


def drop_privileges() -> None:
    """Give up what the owner of a user namespace may do in it, also for programs that are run as its user 0.

    Raises
    ------
    OSError
        ``no_new_privs`` cannot be set.
    """
    for capability in range(CAPABILITIES):
        _LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails where there is none to drop
    _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def become(words: list[str], env: dict[str, str]) -> NoReturn:
    """Run a program in the place of this one; it is looked for on the PATH of ``env``."""
    try:
        os.execvpe(words[0], words, env)  # noqa: S606  (no shell is wanted)
    except OSError as error:
        fail(127 if isinstance(error, FileNotFoundError) else 126, f"{words[0]}: {error.strerror}")


def fail(status: int, message: str) -> NoReturn:
    """Say what is wrong, and end."""
    sys.stderr.write(message + "\n")
    sys.exit(status)


def _call(name: str, *arguments: int) -> None:
    if getattr(_LIBC, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


if __name__ == "__main__":
    main(sys.argv)
