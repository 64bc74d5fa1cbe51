"""The magic in a real IPython shell, with a hub that has no ranks behind it."""

import os
import signal
import time

import numpy as np
import pytest
from IPython.utils.capture import capture_output
from support.waiting import wait_for_no_segments

from jupyter_hpcctr.guest.mpirun import magic
from jupyter_hpcctr.guest.mpirun.errors import HubGoneError, Interrupted, MpirunError, RankError


def run(shell, code):
    with capture_output() as captured:
        result = shell.run_cell(code)
    return result, captured


def test_loading_starts_nothing_and_the_help_is_complete(shell, hub):
    assert hub.found == 0
    assert "--ranks-per-node" in shell.object_inspect("%%mpirun")["docstring"]
    assert "--ranks-per-node" in shell.object_inspect("%mpirun")["docstring"]


@pytest.mark.parametrize("line", ["%mpirun help", "%mpirun --help", "%mpirun -h", "%%mpirun --help\nprint(1)"])
def test_help_is_shown_where_people_ask_for_it(shell, hub, line):
    result, captured = run(shell, line)
    assert result.success
    assert captured.stdout == magic.HELP
    assert hub.found == 0


def test_a_cell_runs_and_its_output_is_there(shell, hub):
    hub.scripts["execute"] = lambda hub, request: hub.out([0, 1, 2, 3], "hello\n") or {}
    result, captured = run(shell, "%%mpirun\nprint('hello')")
    assert result.success
    assert captured.stdout == "ranks 0–3 │ hello\n"
    execute = hub.of("execute")[0]
    assert execute["code"] == "print('hello')\n"
    assert execute["ranks"] is None
    assert execute["limit"] == 256_000
    assert execute["spill"] == f"{os.getcwd()}/.mpirun"
    assert execute["start"] == {
        "ranks": None, "ranks_per_node": None, "oversubscribe": False, "pmi": None, "fresh": False,
        "kernel_pid": os.getpid(),
    }  # fmt: skip
    assert not os.path.exists(execute["spill"])


def test_the_world_is_asked_for_once(shell, hub):
    for _ in range(3):
        run(shell, "%%mpirun\npass")
    assert hub.ops() == ["start", "execute", "execute", "execute"]
    run(shell, "%%mpirun -n 2 --fresh\npass")
    assert hub.of("start")[-1]["fresh"]
    assert not hub.of("execute")[-1]["start"]["fresh"]  # or they would be ended once more
    assert hub.of("execute")[-1]["start"]["ranks"] == 2


def test_ranks_know_the_cell_by_the_number_that_the_notebook_shows(shell, hub):
    numbers = [shell.run_cell("%%mpirun\npass", store_history=True).execution_count for _ in range(3)]
    assert [request["cell"] for request in hub.of("execute")] == numbers
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]


def test_a_failed_rank_is_one_sentence_and_its_traceback(shell, hub):
    def execute(hub, request):
        hub.say("failure", ranks=[2], ename="ValueError", evalue="odd", traceback=["Traceback", "ValueError: odd"])
        hub.say("stacks", stacks=[[[0], ["in Barrier"]], [[1, 3], ["in Barrier"]]])
        return {"status": "error", "respawned": True}

    hub.scripts["execute"] = execute
    result, captured = run(shell, "x = 1")
    result, captured = run(shell, "%%mpirun\n1/0")
    assert captured.stderr == (
        "rank 2 failed:\nTraceback\nValueError: odd\nwhere the other ranks stood:\nranks 0–1, 3:\n  in Barrier\n"
    )
    assert isinstance(result.error_in_exec, RankError)
    assert "rank 2 failed with ValueError: odd" in captured.stdout
    assert "ended and started again" in captured.stdout
    assert "The notebook's variables are untouched." in captured.stdout
    assert "session.py" not in captured.stdout
    assert shell.user_ns["x"] == 1
    hub.scripts["execute"] = lambda hub, request: {"status": "error", "respawned": False}  # all by themselves
    assert "\nThe ranks keep what they hold in memory. The" in run(shell, "%%mpirun\n1/0")[1].stdout
    hub.scripts["execute"] = lambda hub, request: {}
    assert run(shell, "%%mpirun\npass")[0].success


def test_the_hubs_own_sentence_and_error_name_are_shown(shell, hub):
    hub.scripts["start"] = lambda hub, request: {
        "status": "error", "etype": "WorldMismatch", "message": "4 ranks run, not 8", "hint": "add --fresh",
    }  # fmt: skip
    result, captured = run(shell, "%%mpirun -n 8\npass")
    assert type(result.error_in_exec).__name__ == "WorldMismatch"
    assert isinstance(result.error_in_exec, MpirunError)
    assert "WorldMismatch\x1b[0m: 4 ranks run, not 8" in captured.stdout
    assert "add --fresh" in captured.stdout
    assert hub.of("execute") == []


def test_wrong_words_reach_no_rank(shell, hub):
    result, captured = run(shell, "%%mpirun --rnaks 4\npass")
    assert "did you mean --ranks?" in captured.stdout
    assert not result.success
    assert hub.found == 0
    result, captured = run(shell, "%%mpirun --rank 9\npass")
    assert "there is no rank 9: the ranks are 0–3" in captured.stdout


def test_push_and_pull(shell, hub):
    shell.user_ns.update(u=np.arange(6.0).reshape(2, 3), name="x" * 10, number=3)
    assert run(shell, "%mpirun push u name number")[0].success
    assert np.array_equal(hub.values["u"], shell.user_ns["u"])
    assert (hub.values["name"], hub.values["number"]) == ("x" * 10, 3)
    assert not os.path.exists(hub.of("push")[0]["segment"]["path"])
    before = shell.user_ns["u"]
    run(shell, "parts = %mpirun pull u\none = %mpirun pull u --rank 3")
    parts, one = shell.user_ns["parts"], shell.user_ns["one"]
    assert [rank for _, rank in parts] == [0, 1, 2, 3]
    assert one[1] == 3
    one[0][0, 0] = 7  # writable, and nobody else's
    assert parts[3][0][0, 0] == 0
    assert shell.user_ns["u"] is before
    wait_for_no_segments()
    _, captured = run(shell, "%mpirun push nme")
    assert "did you mean name?" in captured.stdout


def test_values_within_functions_are_pushed(shell, hub):
    run(shell, "def f(inner):\n    %mpirun push inner\nf(42)")
    assert hub.values == {"inner": 42}


def test_collect_binds_a_list_after_the_cell(shell, hub):
    hub.values["u"] = "value"
    run(shell, "%%mpirun --collect u --rank 1,2\nu = 1")
    assert shell.user_ns["u"] == [("value", 1), ("value", 2)]
    assert hub.of("pull")[0]["ranks"] == [1, 2]


def test_a_program_gets_its_own_options(shell, hub):
    shell.user_ns["steps"] = 100
    hub.scripts["run"] = lambda hub, request: hub.out([0], "ran\n") or {"codes": {"0": 0}}
    _, captured = run(shell, "%mpirun run -n 2 ./solve -n $steps --rank 'a b'")
    assert captured.stdout == "rank 0    │ ran\n"
    assert hub.of("run")[0]["argv"] == ["./solve", "-n", "100", "--rank", "a b"]
    assert hub.of("run")[0]["ranks"] == 2
    run(shell, "%%mpirun --exec -n 3\necho $HOME | cat")
    assert hub.of("run")[1]["script"] == "echo $HOME | cat\n"
    assert "argv" not in hub.of("run")[1]


def test_start_and_status_say_what_there_is(shell, hub):
    summary = "4 ranks on n1 (0–1), n2 (2–3), Open MPI 4.1.4 by srun --mpi=pmix"
    hub.scripts["start"] = lambda hub, request: (
        hub.say("notice", text=hub.world["reasons"][0], level="info", fleeting=False) or {"world": hub.world}
    )
    _, captured = run(shell, "%mpirun start -n 8")
    assert sorted(captured.stdout.splitlines()) == sorted([summary, "between nodes 9.8 GB/s", hub.world["reasons"][0]])
    _, captured = run(shell, "%mpirun status")
    assert f"{summary}; there is room for 4" in captured.stdout
    assert "3     n2    103      idle" in captured.stdout


def test_an_interrupt_is_handed_on_and_the_answer_still_read(shell, hub):
    def execute(hub, request):
        hub.out([1], "before\n")
        for _ in range(2):  # the second says: now
            os.kill(os.getpid(), signal.SIGINT)
            assert hub.wait_for_interrupt()
        hub.out([1], "after\n")
        return {"status": "interrupted", "respawned": True}

    hub.scripts["execute"] = execute
    handler = signal.getsignal(signal.SIGINT)
    result, captured = run(shell, "%%mpirun\nsleep(1e6)")
    assert isinstance(result.error_in_exec, Interrupted)
    assert type(result.error_in_exec).__name__ == "KeyboardInterrupt"
    assert "before" in captured.stdout
    assert "after" in captured.stdout
    assert "what they held in memory is lost" in captured.stdout
    assert signal.getsignal(signal.SIGINT) is handler
    hub.scripts["execute"] = lambda hub, request: hub.out([0, 1, 2, 3], "next\n") or {}
    assert run(shell, "%%mpirun\npass")[1].stdout == "ranks 0–3 │ next\n"


def test_a_directory_that_is_gone_is_told_of(shell, hub, tmp_path, monkeypatch):
    with monkeypatch.context() as moved:
        moved.chdir(tmp_path)
        (tmp_path / "gone").mkdir()
        os.chdir("gone")
        (tmp_path / "gone").rmdir()
        result, _ = run(shell, "%%mpirun\npass")
    assert str(result.error_in_exec) == "the notebook's current directory has been removed"


def test_values_that_came_with_an_interrupt_are_removed(shell, hub, tmp_path):
    (tmp_path / "values").write_bytes(b"u")
    sent = {"header": {}, "segment": {"path": str(tmp_path / "values"), "bytes": 1}}
    hub.scripts["pull"] = lambda hub, request: {"status": "interrupted", "values": {"0": sent}}
    result, _ = run(shell, "%mpirun pull u")
    assert isinstance(result.error_in_exec, Interrupted)
    assert not (tmp_path / "values").exists()


def test_a_hub_that_ends_is_told_of_and_the_next_cell_finds_another(shell, hub):
    def execute(hub, request):
        hub._running = False

    hub.scripts["execute"] = execute
    result, captured = run(shell, "%%mpirun\npass")
    assert isinstance(result.error_in_exec, HubGoneError)
    assert "has ended" in captured.stdout
    hub.stop()
    hub.scripts["execute"] = lambda hub, request: {}
    assert run(shell, "%%mpirun\npass")[0].success
    assert hub.found == 2


def test_a_hub_that_ended_between_cells_is_no_error(shell, hub):
    run(shell, "%%mpirun\npass")
    hub.stop()
    time.sleep(0.1)
    assert run(shell, "%%mpirun\npass")[0].success
    assert hub.ops() == ["start", "execute", "start", "execute"]


@pytest.mark.parametrize("jedi", [True, False])
def test_ipythons_completer_completes(shell, hub, jedi):
    shell.Completer.use_jedi = jedi
    shell.user_ns["temperature"] = 1
    assert complete(shell, "%%mpirun --ra") == ["--ranks", "--ranks-per-node", "--rank"]
    assert complete(shell, "x = 1\nu = %mpirun pull temp") == ["temperature"]
    assert complete(shell, "%mpirun sta") == ["start", "status"]
    assert "print" in complete(shell, "pri")
    assert hub.found == 0


def complete(shell, code):
    from IPython.core.completer import provisionalcompleter

    with provisionalcompleter():
        return [each.text for each in shell.Completer.completions(code, len(code))]


def test_what_is_loaded_twice_completes_once(shell, hub):
    magic.load(shell, hub.find)
    assert complete(shell, "%mpirun sto") == ["stop"]
