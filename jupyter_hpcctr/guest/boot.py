"""Becomes the kernel: ``boot.py ENGINE CONNECTION_FILE [KERNEL WORDS...]``; ENGINE is "" without a container.

Standard library alone at import. With words it becomes that program; without, it runs the ipykernel of
the interpreter that runs this file, in this process.

``HPCCTR_STARTUP_CACHE`` names a file for ``startup``: used where it is there, made where it is not. Only
images that nobody can change have one.

Exit status 70: the container does not keep what its engine promises; 71: there is no ipykernel
(sysexits.h: EX_SOFTWARE and the next).
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing would be 20 modules from the image
    from typing import Any, NoReturn

BROKEN_PROMISE = 70
NO_IPYKERNEL = 71
CACHE_VARIABLE = "HPCCTR_STARTUP_CACHE"
RECORD_AFTER_S = 2.0


def main(argv: list[str]) -> None:
    """Check the container, then become the kernel."""
    engine, connection_file, *words = argv[1:]
    if engine and not no_new_privileges():
        fail(BROKEN_PROMISE, f"the engine {engine!r} left NoNewPrivs at 0: refusing to run in this container")
    close_namespaces()
    writable_homes(os.path.dirname(connection_file))
    if words:
        try:
            os.execvp(words[0], words)  # noqa: S606  (no shell is wanted)
        except OSError as error:
            fail(127 if isinstance(error, FileNotFoundError) else 126, f"{words[0]}: {error.strerror}")
    run_ipykernel(connection_file)


def no_new_privileges(status: str = "/proc/self/status") -> bool:
    """Return whether set-user-ID programs of the image are without effect (proc(5), "NoNewPrivs")."""
    with open(status, encoding="utf-8", errors="replace") as file:
        return any(line.split() == ["NoNewPrivs:", "1"] for line in file)


def close_namespaces() -> None:
    """Close the namespace descriptors that ``ch-run --join-pid`` leaves open."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > 2 and os.readlink(f"/proc/self/fd/{name}").startswith(("user:[", "mnt:[")):
                os.close(int(name))
        except OSError:  # the listing's own descriptor
            continue


def writable_homes(directory: str) -> None:
    """Point Jupyter, IPython and Matplotlib to ``directory`` where HOME cannot be written to."""
    home = os.environ.get("HOME", "")
    if home and os.path.isdir(home) and os.access(home, os.W_OK):
        return
    for variable, name in (
        ("JUPYTER_RUNTIME_DIR", "runtime"),
        ("IPYTHONDIR", "ipython"),
        ("MPLCONFIGDIR", "matplotlib"),
    ):
        os.environ.setdefault(variable, os.path.join(directory, name))


def run_ipykernel(connection_file: str) -> None:
    """Run the kernel in this process until it is shut down."""
    cache = os.environ.pop(CACHE_VARIABLE, "")
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # debugpy would warn in the first cell
    startup, forks, loading = __import__("startup"), __import__("forks"), __import__("loading")
    guest = loading.package()  # and the guest's directory, which is none of the user's, leaves sys.path
    for name in ("startup", "forks", "loading"):
        sys.modules.pop(name, None)
    os.environ.setdefault("JPY_PARENT_PID", str(os.getppid()))  # read at import: ends when its parent has ended
    cached = bool(cache) and startup.install(cache)
    try:
        kernelapp = __import__("ipykernel.kernelapp", fromlist=["IPKernelApp"])
    except ModuleNotFoundError as error:
        if error.name != "ipykernel":
            raise
        python = f"{os.path.basename(sys.executable)} ({'.'.join(map(str, sys.version_info[:3]))})"
        fail(NO_IPYKERNEL, f"the image has no ipykernel for {python}: add it with 'pip install ipykernel'")
    iostream = sys.modules["ipykernel.iostream"]
    forks.keep_to_files(iostream.IOPubThread, iostream.zmq, iostream.ZMQStream, os.path.dirname(connection_file))
    sys.argv = ["ipykernel_launcher", "-f", connection_file]
    app = kernelapp.IPKernelApp.instance()
    app.initialize(sys.argv[1:])
    add_magics(guest, app.shell, os.path.dirname(connection_file))
    if cache and not cached:
        threading = __import__("threading")
        options = {"delay_s": RECORD_AFTER_S}
        threading.Thread(target=startup.record, args=(cache,), kwargs=options, daemon=True).start()
    app.start()


def add_magics(guest: str, shell: Any, directory: str) -> None:
    """Register ``%%mpirun`` and ``%hpcctr``; a kernel without them is better than none."""
    for magic, door in (("%%mpirun", "mpirun.door"), ("%hpcctr", "checkpoint.door")):
        try:
            __import__(f"{guest}.{door}", fromlist=["open_in"]).open_in(shell, directory)
        except Exception as error:
            sys.stderr.write(f"this kernel has no {magic}: {error!r}\n")


def fail(status: int, message: str) -> NoReturn:
    """Say why there is no kernel, and end."""
    sys.stderr.write(message + "\n")
    sys.exit(status)


if __name__ == "__main__":
    main(sys.argv)
