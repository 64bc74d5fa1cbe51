"""The command line's last word: every error is a line and a status, never a traceback."""

import argparse
import concurrent.futures
from types import SimpleNamespace

import pytest

from jupyter_hpcctr import __version__
from jupyter_hpcctr.cli import plan
from jupyter_hpcctr.cli.main import main, parser
from jupyter_hpcctr.errors import SchedulerUnreachable

IMAGE = "registry.example.org/science/tool:1"
MISSING = (
    f"note: {IMAGE} is not in the image store: the kernel's first start fetches it. To fetch it now:\n"
    f"    jupyter hpcctr images pull {IMAGE}\n"
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user's directories with nothing in them."""
    for name in ("HOME", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
        (tmp_path / name.lower()).mkdir()
    return tmp_path


def every_parser(top, words=()):
    """Each command's parser by its words."""
    yield words, top
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, each in action.choices.items():
                yield from every_parser(each, (*words, name))


def groups():
    return [words for words, each in every_parser(parser()) if each._subparsers is not None]


@pytest.mark.parametrize("words", groups(), ids=" ".join)
def test_a_command_alone_prints_its_help(words, capsys):
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.out.startswith(" ".join(("usage: jupyter hpcctr", *words))) and said.err == ""


def test_it_says_its_version(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"jupyter_hpcctr {__version__}\n"


def test_every_command_and_option_says_what_it_is():
    for words, each in every_parser(parser()):
        assert each.description and each.description.endswith("."), words
        silent = [action.dest for action in each._actions if not action.help and not action.choices]
        assert silent == [], words


def test_a_kernelspec_whose_image_is_not_in_the_store_says_how_to_fetch_it(home, capsys):
    assert main(["kernelspec", "add", "tool", "--image", IMAGE]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("wrote ") and said.err == MISSING


def test_a_kernelspec_whose_image_is_there_or_that_has_none_says_nothing(home, capsys, monkeypatch):
    class Store:
        def find(self, reference):
            return reference

    monkeypatch.setattr("jupyter_hpcctr.cli.kernelspec.image_store", lambda policy: Store())
    assert main(["kernelspec", "add", "tool", "--image", IMAGE]) == 0
    assert main(["kernelspec", "add", "none", "--engine", "bare"]) == 0
    assert capsys.readouterr().err == ""


def test_a_store_that_cannot_be_used_is_said_and_the_kernelspec_is_written(home, capsys, monkeypatch):
    names = home / "xdg_data_home" / "jupyter_hpcctr" / "images" / "refs"
    names.mkdir(parents=True)
    names.chmod(0o777)
    assert main(["kernelspec", "add", "tool", "--image", IMAGE]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("wrote ")
    assert said.err.startswith("note: ")


def test_what_the_system_refuses_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "file").write_text("x")
    prefix = str(tmp_path / "file" / "x")
    assert main(["kernelspec", "add", "here", "--prefix", prefix]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f"system: {prefix}") and "Not a directory" in said[0]
    assert "what to do" in said[1] and len(said) == 2


def test_an_error_of_our_own_has_its_stage_and_hint(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    assert main(["kernelspec", "remove", "no-such-kernel"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("request: ") and said[1].startswith("  what to do: ")


def test_an_error_without_a_file_has_its_reason_alone(capsys, monkeypatch):
    def refuse():
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("jupyter_hpcctr.kernelspecs.ours", refuse)
    assert main(["kernelspec", "list"]) == 1
    assert capsys.readouterr().err == "system: Too many open files\n"


def test_a_word_that_is_none_is_argparses_affair():
    with pytest.raises(SystemExit) as ended:
        main(["no-such-word"])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (SchedulerUnreachable("the controller does not answer"), "the controller does not answer"),
        (concurrent.futures.TimeoutError(), "slurm did not answer in"),
    ],
    ids=["it says so", "it says nothing"],
)
def test_a_plan_is_shown_where_the_scheduler_does_not_answer_and_it_is_said(home, monkeypatch, capsys, failure, words):
    class Edge:
        def wait(self, _question, *, timeout_s):
            raise failure

    monkeypatch.setattr(plan.compose, "hub", lambda policy: SimpleNamespace(edge=Edge(), site=lambda name: None))
    assert main(["plan", "--engine", "bare", "--scheduler", "slurm"]) == 0
    out, err = capsys.readouterr()
    assert "sbatch" in out
    assert err.startswith("not compared with what the site has: ") and words in err
