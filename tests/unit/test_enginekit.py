"""What engines have in common: words, bundles, and the scripts where something is missing."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_hpcctr import enginekit, plugins
from jupyter_hpcctr.enginekit import bundle, spaces
from jupyter_hpcctr.protocol.container import Container, Mount, NodeFacts, Program

SCRIPTS = Path(enginekit.__file__).parent
CONTAINER = Container(
    name="hpcctr-1001-1", image="/store/1.sqfs", kind="squashfs", reference="r/n:1", digest="sha256:1",
    mounts=(Mount("/run/kernel", "/hpcctr/run"), Mount("/data", "/mnt", read_only=True)),
    workdir="/work", scratch="/run/engine",
)  # fmt: skip
NODE = NodeFacts("/usr/bin/python3", "/run/enginekit", 1001, 1002, "v2")
PROGRAM = Program(("sleep", "1"), "/run/env", {"A": "b c"})
SERVED = ("/usr/bin/python3", "-S", "-E", "/run/enginekit/serve.py")


def test_bubblewrap_runs_in_the_served_image():
    command = plugins.engine("bubblewrap").start(CONTAINER, PROGRAM, NODE)
    assert (command.environment, command.files) == ("quoted", {})
    assert command.argv == (
        *SERVED, "/run/env", "/store/1.sqfs", "/run/engine/root", "bwrap", "--die-with-parent", "--ro-bind",
        "/run/engine/root", "/", "--dev-bind", "/dev", "/dev", "--bind", "/proc", "/proc", "--ro-bind", "/sys", "/sys",
        "--bind", "/tmp", "/tmp", "--bind", "/run/kernel", "/hpcctr/run", "--ro-bind", "/data", "/mnt",
        "--chdir", "/work", "--", "sleep", "1",
    )  # fmt: skip


def test_an_unpacked_image_is_served_by_nothing():
    directory = dataclasses.replace(CONTAINER, kind="directory", image="/images/1")
    words = plugins.engine("bubblewrap").start(directory, PROGRAM, NODE).argv
    assert words[4:11] == ("/run/env", "", "/images/1", "bwrap", "--die-with-parent", "--ro-bind", "/images/1")


@pytest.mark.parametrize(("cgroups", "hidden"), [("v1", False), ("v2", False), ("none", False), ("hybrid", True)])
def test_crun_sees_no_control_groups_where_it_would_refuse_them(cgroups, hidden):
    node = dataclasses.replace(NODE, cgroups=cgroups)
    command = plugins.engine("crun").start(CONTAINER, PROGRAM, node)
    assert ("--hide-cgroups" in command.argv) is hidden
    assert command.argv[-6:] == (
        "crun", "--root=/run/engine/state", "--cgroup-manager=disabled", "run", "--bundle=/run/engine/bundle",
        "hpcctr-1001-1",
    )  # fmt: skip
    assert json.loads(command.files["/run/engine/bundle/config.json"]) == bundle.config(CONTAINER, PROGRAM, node)


def test_a_bundle_gives_the_users_own_rights_and_no_more():
    made = bundle.config(CONTAINER, PROGRAM, NODE)
    process = made["process"]
    assert (process["user"], process["capabilities"]) == ({"uid": 1001, "gid": 1002}, {})
    assert process["noNewPrivileges"] is made["root"]["readonly"] is True
    assert (process["args"], process["env"], process["cwd"]) == (["sleep", "1"], ["A=b c"], "/work")
    assert [each["type"] for each in made["linux"]["namespaces"]] == ["user", "mount"]
    assert made["linux"]["uidMappings"] == [{"containerID": 1001, "hostID": 1001, "size": 1}]
    options = {each["destination"]: each["options"] for each in made["mounts"]}
    assert (options["/mnt"], options["/hpcctr/run"]) == (["rbind", "ro"], ["rbind", "rw"])


@pytest.mark.parametrize("engine", ["bubblewrap", "crun"])
def test_containers_are_entered_without_the_engine(engine):
    command = plugins.engine(engine).enter(CONTAINER, "4711", PROGRAM, NODE)
    assert command.environment == "quoted"
    assert command.argv == (
        "/usr/bin/python3", "-S", "-E", "/run/enginekit/spaces.py", "4711", "/run/env", "/work", "sleep", "1",
    )  # fmt: skip


def run(script, *words, path=None):
    env = {"PATH": os.environ["PATH"] if path is None else str(path)}
    words = (sys.executable, "-S", "-E", str(SCRIPTS / script), *map(str, words))
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=60)


@pytest.fixture
def env_file(tmp_path):
    file = tmp_path / "env"
    file.write_text("A='it's '\nPATH='/nowhere:/usr/bin:/bin'\nB=''\n")
    return file


def test_the_environment_is_read_as_it_was_written(env_file):
    assert spaces.read_environment(str(env_file)) == {"A": "it's ", "PATH": "/nowhere:/usr/bin:/bin", "B": ""}


def test_a_process_that_is_gone_cannot_be_entered(env_file):
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    done = run("spaces.py", pid, env_file, "/", "true")
    assert done.returncode == 126
    assert done.stderr.startswith(f"the container of process {pid} cannot be entered: No such file or directory")


def test_in_namespaces_that_are_ours_a_program_runs_without_privileges(env_file):
    script = "grep -E '^(NoNewPrivs|CapBnd)' /proc/self/status; echo \"$A$B\"; pwd"
    done = run("spaces.py", os.getpid(), env_file, "/tmp", "sh", "-c", script)
    assert done.stderr == ""
    assert done.stdout.split("\n")[-3:] == ["it's ", "/tmp", ""]
    assert "NoNewPrivs:\t1\n" in done.stdout


def test_a_program_that_the_container_does_not_have_is_named(env_file):
    done = run("spaces.py", os.getpid(), env_file, "/", "no-such-program")
    assert (done.returncode, done.stderr) == (127, "no-such-program: No such file or directory\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("", "/nowhere", "no-such-engine"), "no-such-engine: not found on this node\n"),
        (("/1.sqfs", "{}/root", "sh"), "squashfuse_ll: not found, and without it this engine cannot mount an image\n"),
    ],
)
def test_a_program_that_the_node_does_not_have_is_named(env_file, tmp_path, words, said):
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sh").symlink_to("/bin/sh")
    done = run("serve.py", env_file, *(word.format(tmp_path) for word in words), path=programs)
    assert (done.returncode, done.stderr) == (127, said)


def test_what_is_no_image_is_said(env_file, tmp_path):
    (tmp_path / "not.sqfs").write_text("no image")
    done = run("serve.py", env_file, tmp_path / "not.sqfs", tmp_path / "root", "true")
    assert done.returncode == 126
    assert f"has not mounted {tmp_path}/not.sqfs" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("script", "status"), [("exit 7", 7), ("kill -TERM $$", 128 + 15), ("exit 0", 0)])
def test_the_commands_own_end_comes_through(env_file, script, status):
    assert run("serve.py", env_file, "", "/", "sh", "-c", script).returncode == status
