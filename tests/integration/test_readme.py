"""README's own steps for a cluster, word for word, as a new user of a small cluster follows them."""

import contextlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest
from support.images import CHECKOUT
from support.slurm import short_directory
from support.small_images import make, plain

__all__ = ["make"]  # a fixture

SCRIPT = "#!{python}\nimport sys\nfrom {module} import {name}\nsys.exit({name}())\n"
REGISTRIES = '[[registry]]\nprefix = "registry.example.org/science/python-mpi"\nlocation = "{}"\ninsecure = true\n'


def steps():
    """The blocks of commands in README's section on clusters: the installation, and what follows it."""
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## On a cluster\n")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def new_shell():
    """The line for each new shell."""
    return next(line for line in steps()[0].splitlines() if "in every new shell" in line)


class User:
    """Somebody with an empty home, whose pip finds what is installed here and asks no index."""

    def __init__(self, home, **more):
        self.home = home
        self.env = {
            "HOME": str(home),
            "USER": os.environ.get("USER", "somebody"),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip's way to say that there is none
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "JUPYTERLAB_DIR": str(Path(sys.prefix, "share/jupyter/lab")),
            **more,
        }

    def bash(self, text, cwd):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], env=self.env, cwd=cwd, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def add_commands(self, said):
        """Add the commands of the packages that pip has found here instead of installing them."""
        names = re.findall(r"^Requirement already satisfied: ([\w.-]+)", said, re.MULTILINE)
        for name in sorted(set(names)):
            for entry in importlib.metadata.distribution(name).entry_points.select(group="console_scripts"):
                script = self.home / "jupyter/bin" / entry.name
                if not script.exists():
                    python = script.parent / "python3"
                    script.write_text(SCRIPT.format(python=python, module=entry.module, name=entry.attr))
                    script.chmod(0o755)


@pytest.fixture
def home():
    with short_directory() as directory:
        yield directory


@contextlib.contextmanager
def running(user, text, cwd):
    """Run the last step, which does not end; yield its address and what it prints."""
    log = user.home / "lab.log"
    with log.open("wb") as out:
        server = subprocess.Popen(["bash", "-euc", text], env=user.env, cwd=cwd, stdout=out, stderr=out)
    try:
        until, records = time.monotonic() + 120, user.home / ".local/share/jupyter/runtime"
        while not any(path.read_text() for path in records.glob("jpserver-*.json")):
            assert server.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        yield log
    finally:
        for path in records.glob("jpserver-*.json"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(json.loads(path.read_text())["pid"], 15)
        server.wait(timeout=60)


@pytest.mark.slurm
@pytest.mark.timeout(600)
def test_the_steps_for_a_cluster_work_as_they_are_written(home, slurm, make):
    user = User(home, SLURM_CONF=str(slurm.conf))
    image = make(plain)
    (home / ".config/containers").mkdir(parents=True)
    (home / ".config/containers/registries.conf").write_text(REGISTRIES.format(image.removesuffix(":1")))
    (home / ".jupyter").mkdir(mode=0o700)
    (home / ".jupyter/jupyter_server_config.json").write_text('{"ServerApp": {"open_browser": false, "port": 0}}')
    install, use = steps()
    user.add_commands(user.bash(install, CHECKOUT))
    first, last = use.rstrip().rsplit("\n", 1)
    said = user.bash(f"{new_shell()}\n{first}", home)
    assert "wrote" in said and "kernels/mpi/kernel.json" in said
    assert "sbatch" in said and "note:" not in said
    assert last.startswith("jupyter lab")
    with running(user, f"{new_shell()}\n{last}", home) as log:
        assert "jupyter_hpcctr | extension was successfully loaded" in log.read_text()
