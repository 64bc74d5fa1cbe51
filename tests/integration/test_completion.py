"""Tab in real shells, as the help of ``jupyter hpcctr completion`` sets it up."""

import os
import re
import sys
from pathlib import Path

import pexpect
import pytest

SHELLS = {
    "bash": ("bash", ["--norc", "--noprofile", "-i"], "PS1='ready> '"),
    "zsh": ("zsh", ["-f", "-i"], "PS1='ready> '; autoload -U compinit; compinit -u"),
}
PATIENCE_S = 60


@pytest.fixture(scope="module", params=SHELLS)
def logged_in(request, tmp_path_factory):
    """An interactive shell of a user with two kernelspecs and two EDF files, which completes ``jupyter``."""
    place = tmp_path_factory.mktemp("user")
    env = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for name in ("HOME", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        env[name] = str(place / name.lower())
        (place / name.lower()).mkdir()
    (place / "home" / ".edf").mkdir()
    for path in ("home/.edf/tool.toml", "notebook.toml"):
        (place / path).touch()
    command, words, first = SHELLS[request.param]
    about = {"encoding": "utf-8", "timeout": PATIENCE_S, "dimensions": (40, 200)}
    child = pexpect.spawn(command, words, cwd=place, env=env, **about)
    try:
        child.sendline(first)
        for name in ("first", "second"):
            child.sendline(f"jupyter hpcctr kernelspec add {name} --engine bare")
            child.expect(f"wrote .*/{name}/kernel.json")
        child.sendline(f'eval "$(jupyter hpcctr completion {request.param})"; echo its status is $?.')
        child.expect_exact("its status is 0.")
        yield child
    finally:
        child.close(force=True)


@pytest.fixture
def shell(logged_in):
    """The shell with an empty line; what a test has typed is not run."""
    logged_in.sendcontrol("u")
    logged_in.sendline("echo $((6 * 7)) is ready.")
    logged_in.expect_exact("42 is ready.")
    return logged_in


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("jupyter hpcctr kernelsp", "ec "),
        ("jupyter hpcctr images pu", "ll "),
        ("jupyter hpcctr kernelspec add x --ntasks-per", "-node "),
        ("jupyter hpcctr kernelspec add x --scheduler lo", "cal "),
        ("jupyter hpcctr kernelspec remove sec", "ond "),
        ("jupyter hpcctr kernelspec add x --save-e", "df "),
        ("jupyter hpcctr kernelspec add x --edf too", "l "),
        ("jupyter hpcctr plan --edf ./note", "book.toml "),
    ],
)
def test_tab_completes_commands_options_and_names(shell, typed, completed):
    shell.send(f"{typed}\t")
    seen = re.escape(typed) + r"(?:\x1b\[[0-9;?]*[a-zA-Z]|\r)*" + re.escape(completed)
    shell.expect(seen)
