"""``%hpcctr`` in the notebook: what it understands, what it says, and how code is run in the midst of other code."""

import os
import signal
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from IPython.core.interactiveshell import InteractiveShell

import jupyter_hpcctr
from jupyter_hpcctr.guest.checkpoint import code, door, keeper, magic, words
from jupyter_hpcctr.guest.checkpoint.errors import CheckpointError, UsageError
from jupyter_hpcctr.guest.checkpoint.keeper import Keeper
from jupyter_hpcctr.guest.checkpoint.options import parse, seconds

REGISTERED = {"state": "registered", "end": 7200.0, "runs": 3600.0, "before_s": 3600.0, "at": None, "error": ""}
LATER = {**REGISTERED, "end": 4e9, "runs": 4e9 - 3600}


@pytest.mark.parametrize(
    ("line", "cell", "asked"),
    [
        ("", None, ("help", "", None, False)),
        ("checkpoint", None, ("checkpoint", "", None, False)),
        ("checkpoint save(a, '--b')", None, ("checkpoint", "save(a, '--b')", None, False)),
        ("checkpoint --before 10 save()", None, ("checkpoint", "save()", 600.0, False)),
        ("checkpoint --before=90s", "save()\n", ("checkpoint", "save()\n", 90.0, False)),
        ("checkpoint --clear", None, ("checkpoint", "", None, True)),
        ("restore u = load()", None, ("restore", "u = load()", None, False)),
        ("devices", None, ("devices", "", None, False)),
    ],
)
def test_words_that_are_understood(line, cell, asked):
    assert tuple(parse(line, cell)) == asked


@pytest.mark.parametrize(
    ("line", "cell"),
    [
        ("chekpoint", None),
        ("checkpoint --after 3 save()", None),
        ("restore --before 3 load()", None),
        ("checkpoint --before soon save()", None),
        ("checkpoint --before 0 save()", None),
        ("checkpoint --before", None),
        ("checkpoint --before 3", None),
        ("checkpoint --clear save()", None),
        ("checkpoint save()", "more()"),
        ("checkpoint", "\n"),
        ("devices --all", None),
    ],
)
def test_words_that_are_refused(line, cell):
    with pytest.raises(UsageError):
        parse(line, cell)


def test_times_are_minutes_or_have_a_unit():
    assert [seconds(each) for each in (10, 0.5, "10", "90s", "2 min", "1h")] == [600, 30, 600, 90, 120, 3600]


def test_what_is_said_of_a_checkpoint():
    def said(**changes):
        return words.status("save()", {**REGISTERED, **changes}, 1000.0)

    assert said().endswith("1 h before the end of the job.")
    assert said().startswith(f"The checkpoint save() runs at {words.moment(3600.0, 1000.0)}, ")
    assert said(runs=None, end=None).startswith("The checkpoint save() runs when the scheduler says")
    assert said(runs=900.0).startswith("The checkpoint save() runs now.")
    assert said(state="running").startswith("The checkpoint save() is running.")
    assert said(state="done", at=900.0, runs=None) == f"The checkpoint save() has run at {words.moment(900.0, 1000.0)}."
    assert "failed at" in (failed := said(state="failed", at=900.0, error="E: x")) and "E: x" in failed
    assert "It runs again at" in failed
    assert said(state="none").startswith("No checkpoint is registered. The job ends at")


@pytest.fixture
def shell():
    made = InteractiveShell()
    made.user_ns["step"] = 3
    return made


def test_code_is_the_notebooks_with_its_magics_and_its_variables(shell):
    code.ready(shell, "%env STEP=5\nseen = step\n", "checkpoint")()
    assert (shell.user_ns["seen"], os.environ.pop("STEP")) == (3, "5")


@pytest.mark.parametrize("text", ["1 +", "await save()", "def f(:"])
def test_code_that_cannot_run_is_refused_when_it_is_given(shell, text):
    with pytest.raises(UsageError, match="not valid"):
        code.ready(shell, text, "checkpoint")


def test_code_is_shown_in_one_line():
    assert code.shown("\nsave()\n") == "save()"
    assert code.shown("save()\nmore()") == "save() …"
    assert len(code.shown("x" * 200)) < 70


class Agent:
    """Stands for the conversation: it notes what is said, and has the checkpoint run from a thread of its own."""

    def __init__(self, path, run):
        self.run, self.said = run, []

    def start(self):
        pass

    def say(self, **message):
        self.said.append(message)

    def ask(self, **message):
        self.say(**message)
        return dict(LATER)


@pytest.fixture
def kept(monkeypatch, tmp_path):
    monkeypatch.setattr(keeper, "Conversation", Agent)
    before = signal.getsignal(keeper.SIGNAL)
    with (tmp_path / "log").open("w") as log:
        yield Keeper(str(tmp_path), log.fileno())
    signal.signal(keeper.SIGNAL, before)


def called(kept):
    """Have it run from another thread, while the main thread waits in a system call."""
    reading, writing = os.pipe()

    def agent():
        kept._agent.run()
        end = time.monotonic() + 60
        while kept._agent.said[-1].get("op") != "ran" and time.monotonic() < end:
            time.sleep(0.01)
        os.write(writing, b"x")

    thread = threading.Thread(target=agent)
    thread.start()
    try:
        assert os.read(reading, 1) == b"x", "the call that was interrupted goes on"
    finally:
        thread.join()
        os.close(reading)
        os.close(writing)
    return kept._agent.said[1:]


def test_it_runs_in_the_main_thread_while_that_waits(kept, capfd, tmp_path):
    threads = []
    kept.register(lambda: (threads.append(threading.current_thread()), print("saved")), "save()", None)
    assert called(kept) == [{"op": "running"}, {"op": "ran", "error": ""}]
    assert threads == [threading.main_thread()]
    out, err = capfd.readouterr()
    assert "saved" in out
    assert "Checkpoint: save() runs" in err and "Checkpoint: done" in err
    assert not isinstance(sys.stdout, keeper.Tee)
    log = (tmp_path / "log").read_text()
    assert [words in log for words in ("save() runs", "saved\n", "done")] == [True] * 3


@pytest.mark.parametrize(
    ("error", "told"), [(OSError("no  space\nleft"), "OSError: no space left"), (SystemExit(1), "SystemExit: 1")]
)
def test_an_error_is_told_and_does_not_reach_the_running_code(kept, capfd, error, told):
    def save():
        raise error

    kept.register(save, "save()", None)
    assert called(kept)[-1] == {"op": "ran", "error": told}
    assert "raise error" in capfd.readouterr().err


def test_a_traceback_has_the_users_lines_alone(kept, shell, capfd):
    kept.register(code.ready(shell, "def save():\n    1 / 0\nsave()", "checkpoint"), "save()", None)
    called(kept)
    err = capfd.readouterr().err
    assert [line.strip() for line in err.splitlines() if line.startswith("  File")] == [
        'File "<checkpoint>", line 3, in <module>',
        'File "<checkpoint>", line 2, in save',
    ]
    assert "    1 / 0" in err


def test_an_interrupt_ends_the_checkpoint_and_the_running_code(kept):
    kept.register(lambda: signal.raise_signal(signal.SIGINT), "save()", None)
    with pytest.raises(KeyboardInterrupt):
        called(kept)
    assert kept._agent.said[-1] == {"op": "ran", "error": "it was interrupted"}


def test_an_interrupt_in_an_idle_kernel_ends_the_checkpoint_alone(kept):
    kept.register(lambda: signal.raise_signal(signal.SIGINT), "save()", None)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as ipykernel does between cells
    try:
        assert called(kept)[-1] == {"op": "ran", "error": "it was interrupted"}
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_signal_of_others_goes_where_it_went_before(kept):
    heard = []
    signal.signal(keeper.SIGNAL, lambda *_: heard.append("theirs"))
    for _ in range(2):  # registering twice does not make it its own predecessor
        kept.register(lambda: heard.append("ours"), "save()", None)
    signal.raise_signal(keeper.SIGNAL)
    assert heard == ["theirs"]


def test_only_the_main_thread_can_register(kept):
    raised = []

    def register():
        with pytest.raises(CheckpointError, match="main thread") as caught:
            kept.register(print, "print()", None)
        raised.append(caught.value)

    thread = threading.Thread(target=register)
    thread.start()
    thread.join()
    assert raised


@pytest.fixture
def notebook(shell, monkeypatch, tmp_path):
    """A shell with the magic, and an agent that is none."""
    before = signal.getsignal(keeper.SIGNAL)
    monkeypatch.setattr(keeper, "Conversation", Agent)
    monkeypatch.setattr(magic, "_keepers", [])
    (tmp_path / "checkpoint").touch()
    door.open_in(shell, str(tmp_path))
    monkeypatch.setitem(sys.modules, "_hpcctr_guest.checkpoint.door", door)
    yield SimpleNamespace(shell=shell, said=lambda: magic._keepers[0]._agent.said)
    signal.signal(keeper.SIGNAL, before)


def test_braces_and_dollars_are_the_codes(notebook, capsys):
    notebook.shell.run_cell("%hpcctr checkpoint --before 2 saved = f'{step + 1} $HOME'").raise_error()
    assert notebook.said() == [{"op": "register", "before_s": 120.0}]
    magic._keepers[0]._run()
    assert notebook.shell.user_ns["saved"] == "4 $HOME"
    assert "The checkpoint saved = f'{step + 1} $HOME' runs at" in capsys.readouterr().out


def test_a_cell_is_registered_and_not_run(notebook):
    notebook.shell.run_cell("%%hpcctr checkpoint\nstep = 4").raise_error()
    assert (notebook.shell.user_ns["step"], notebook.said()) == (3, [{"op": "register", "before_s": None}])


def test_the_restore_code_is_checked_shown_and_forgotten(notebook, capsys):
    notebook.shell.run_cell("%hpcctr restore step = 9").raise_error()
    notebook.shell.run_cell("%hpcctr restore").raise_error()
    assert capsys.readouterr().out.count("step = 9") == 2
    assert isinstance(notebook.shell.run_cell("%hpcctr restore 1 +").error_in_exec, UsageError)
    notebook.shell.run_cell("%hpcctr restore --clear").raise_error()
    assert notebook.said() == [{"op": "restore", "code": "step = 9"}, {"op": "restore", "code": ""}]
    assert notebook.shell.user_ns["step"] == 3
    too_long = notebook.shell.run_cell(f"%hpcctr restore x = {'1' * magic.RESTORE_CHARS}").error_in_exec
    assert isinstance(too_long, UsageError)


def test_a_function_can_be_registered_in_python(notebook, capsys):
    @jupyter_hpcctr.checkpoint(before=10)
    def save():
        return 1

    assert jupyter_hpcctr.checkpoint(save) is save
    assert [each["before_s"] for each in notebook.said()] == [600, None]
    assert "The checkpoint save() runs at" in capsys.readouterr().out


def test_a_kernel_without_a_job_of_ours_says_so():
    with pytest.raises(RuntimeError, match="needs a kernel"):
        jupyter_hpcctr.checkpoint(print)


def test_help_is_shown(notebook, capsys):
    notebook.shell.run_cell("%hpcctr").raise_error()
    assert "%hpcctr checkpoint --clear" in capsys.readouterr().out
