"""The command line's last word: every error is a line and a status, never a traceback."""

import pytest

from jupyter_hpcctr.cli.main import main


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
