"""One kernel in an image on a Slurm node, from nothing to an executed notebook, as an ordinary user.

    python3 kernels/demo/demo.py [up] [--dir DIR] [--images DIR]
    python3 kernels/demo/demo.py down [--dir DIR]

``up`` builds the images of kernels/images, serves them from a registry on the loopback address, starts a
Slurm of two nodes, pulls the image with MPI into a store, installs a kernelspec for it and runs
hello.ipynb by nbclient. The registry ends with the run. Cluster, store and kernelspec stay, so that the
same notebook can be opened in JupyterLab and a second run has little to do; ``down`` removes them, but
not the built images. Everything is below DIR.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
KERNEL = "hpcctr-demo"
MARKER = "this-is-the-demo"
NODES, RANKS_PER_NODE = 2, 2


class DemoError(Exception):
    """A step did not work; the message is for people."""


class Demo:
    """The demo's directory, and the steps that fill and empty it."""

    def __init__(self, directory: Path, images: Path | None) -> None:
        self.directory, self.images = directory, images
        self.cluster = directory / "cluster"
        self.notebook = directory / "notebooks" / "hello.ipynb"
        self.env = {
            "SLURM_CONF": str(self.cluster / "etc" / "slurm.conf"),
            "JUPYTER_CONFIG_DIR": str(directory / "config"),
            "JUPYTER_DATA_DIR": str(directory / "data"),
        }

    @property
    def ending(self) -> str:
        """The command that ends it all."""
        return shlex.join((sys.executable, str(HERE / "demo.py"), "down", "--dir", str(self.directory)))

    # -- the steps, in their order

    def prepare(self) -> None:
        """Make the directory, with the site's configuration file in it."""
        place = self.directory
        if place.exists() and not (place / MARKER).exists() and any(place.iterdir()):
            raise DemoError(f"{place} is not empty and not the demo's: choose another --dir")
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        (place / MARKER).touch()
        for name in ("config", "data", "notebooks", "registry"):
            (place / name).mkdir(exist_ok=True)
        config = (
            "c = get_config()  # noqa: F821\n"
            f"c.HpcctrSite.store = {str(place / 'store')!r}\n"
            f"c.HpcctrSite.state_dir = {str(place / 'state')!r}\n"
            "c.HpcctrSite.at_stop = 'end'  # the small cluster ends too\n"
        )
        (place / "config" / "jupyter_hpcctr_config.py").write_text(config, encoding="utf-8")
        os.environ.update(self.env, JUPYTER_RUNTIME_DIR=str(place / "runtime"), JUPYTER_PLATFORM_DIRS="1")

    def build(self, *more: str) -> list[str]:
        """Build both images, or find them built; return the names that they have now."""
        self.images = self.images or image_directory()
        words = (str(HERE.parent / "images" / "build.py"), "python", "python-mpi", "--output", str(self.images))
        lines = run(sys.executable, *words, *more).splitlines()
        for line in lines:
            say(line)
        return [line.split()[0] for line in lines]

    @contextlib.contextmanager
    def registry(self) -> Iterator[str]:
        """Run Debian's docker-registry on the loopback address, on the port of the last time if it is free."""
        place = self.directory / "registry"
        port, log = place / "port", place / "log"
        config = f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: '{place}/data'}}}}\nhttp: {{addr: '%s'}}\n"
        (place / "config.yml").write_text(config % f"127.0.0.1:{free_port(port)}", encoding="utf-8")
        if shutil.which("docker-registry") is None:
            raise DemoError("docker-registry is not installed: on Debian and Ubuntu, apt install docker-registry")
        # With this process, however it ends, the registry gets SIGTERM (setpriv(1)).
        words = ("setpriv", "--pdeathsig", "TERM", "docker-registry", "serve", str(place / "config.yml"))
        env = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        with log.open("wb") as out:
            server = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)
        try:
            host = listening(server, log)
            port.write_text(host.rpartition(":")[2], encoding="ascii")
            say(f"process {server.pid} listens on {host}")
            yield host
        finally:
            server.terminate()
            server.wait(timeout=30)

    def kernelspec(self, reference: str) -> None:
        """Install a kernelspec for the image, with room for some ranks on each node."""
        room = ("--nodes", str(NODES), "--ntasks-per-node", str(RANKS_PER_NODE))
        # Both nodes are this machine: ranks that wait for a message let the others have its CPUs.
        room += ("--env", "OMPI_MCA_mpi_yield_when_idle=1")
        shown = f"Python and MPI in an image ({NODES * RANKS_PER_NODE} ranks on {NODES} nodes)"
        options = ("--display-name", shown, "--image", reference, *room, "--time", "2:00:00")
        hpcctr("kernelspec", "add", KERNEL, "--replace", *options)

    def down(self) -> None:
        """End the cluster with its jobs, and remove the directory."""
        if not (self.directory / MARKER).exists():
            raise DemoError(f"there is no demo in {self.directory}")
        hpcctr("cluster", "down", "--dir", str(self.cluster))
        shutil.rmtree(self.directory)
        say(f"removed {self.directory}; the built images stay")

    def what_next(self) -> str:
        """Say how to open the same in JupyterLab, and how to end it: commands to copy."""
        here = Path(sys.executable).parent
        lines = [f"export {name}={shlex.quote(value)}" for name, value in self.env.items()]
        lines += [shlex.join((str(here / "jupyter-lab"), str(self.notebook)))]
        lab = "\n".join(f"    {line}" for line in lines)
        hint = "" if (here / "jupyter-lab").exists() else "    # JupyterLab is not installed: pip install jupyterlab\n"
        return (
            f"The cluster is still up. To open the notebook in JupyterLab, as {user()}:\n\n{hint}{lab}\n\n"
            "Its launcher has a card, New container kernel…, for kernels with other images and resources.\n\n"
            f"To end the cluster and remove what the demo made:\n\n    {self.ending}\n"
        )


def up(demo: Demo) -> None:
    """Go all the way."""
    began = time.monotonic()
    with step("make the directory and the site's configuration"):
        demo.prepare()
    with step("build the images (some minutes, at the first time)"):
        demo.build()
    with step("start a registry"), contextlib.ExitStack() as stack:
        host = stack.enter_context(demo.registry())
        running = stack.pop_all()
    with running:
        with step("push the images to it"):
            reference = demo.build("--push", host)[-1]
        with step("start a Slurm of two nodes"):
            hpcctr("cluster", "up", "--nodes", str(NODES), "--cpus", "4", "--dir", str(demo.cluster))
        with step("pull the image into the store"):
            hpcctr("images", "pull", reference)
        with step("install a kernelspec"):
            demo.kernelspec(reference)
    with step("run hello.ipynb with its kernel in the image, on a node"):
        try:
            import player  # it needs nbclient, which the other steps do without

            played = player.play(HERE / "hello.ipynb", demo.notebook, KERNEL)
        except Exception as error:
            raise DemoError(f"the notebook did not run to its end: {error}") from error
    print(f"\n{played}\n\nAll in all: {time.monotonic() - began:.1f} s\n\n{demo.what_next()}")


# -- running and saying


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Name a step, and tell how long it took."""
    print(f"→ {title} …", flush=True)
    began = time.monotonic()
    yield
    print(f"  {time.monotonic() - began:.1f} s", flush=True)


def say(text: str) -> None:
    """Print something below a step's title."""
    print("\n".join(f"  {line}" for line in text.splitlines()), flush=True)


def run(*words: str) -> str:
    """Run a program whose progress people may see; return what it wrote to standard output.

    Raises
    ------
    DemoError
        It failed; what was wrong is on standard error already.
    """
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise DemoError(f"failed with status {done.returncode}: {shlex.join(words)}")
    return done.stdout


def hpcctr(*words: str) -> None:
    """Run a command of the package, shown as people would write it."""
    say(shlex.join(("jupyter", "hpcctr", *words)))
    text = run(sys.executable, "-m", "jupyter_hpcctr.cli.main", *words)
    say("\n".join(f"  {line}" for line in text.splitlines() if line.strip()))


def free_port(record: Path) -> int:
    """Return the recorded port if nothing listens there now, else 0 (any)."""
    try:
        port = int(record.read_text(encoding="ascii"))
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except (OSError, ValueError):
        return 0
    return port


def listening(server: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the registry says where it listens."""
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        if found := re.search(r"listening on (127\.0\.0\.1:\d+)", log.read_text(errors="replace")):
            return found[1]
        time.sleep(0.02)
    raise DemoError(f"the registry does not start:\n{log.read_text(errors='replace')[-2000:]}")


def user() -> str:
    """Return the caller's name."""
    return pwd.getpwuid(os.getuid()).pw_name


def image_directory() -> Path:
    """Return where built images are kept: in the checkout, or in the user's cache where that is another's."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for place in (CHECKOUT / "build" / "images", cache / "jupyter_hpcctr" / "images"):
        with contextlib.suppress(PermissionError):
            place.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=place).close()
            return place
    raise DemoError("no directory for the images can be written: name one with --images")


def main() -> int:
    """Read the command line, and say in words what does not work."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", nargs="?", choices=("up", "down"), default="up")
    parser.add_argument("--dir", type=Path, default=state / "jupyter_hpcctr" / "demo", help="(default: %(default)s)")
    parser.add_argument("--images", type=Path, metavar="DIR", help="of built images (default: build/images)")
    args = parser.parse_args()
    demo = Demo(args.dir.absolute(), args.images and args.images.absolute())
    try:
        demo.down() if args.what == "down" else up(demo)
    except (DemoError, OSError) as error:
        sys.stderr.write(f"demo: {error}\n")
        if (demo.directory / MARKER).exists():
            sys.stderr.write(f"  to remove what is there and begin anew: {demo.ending}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
