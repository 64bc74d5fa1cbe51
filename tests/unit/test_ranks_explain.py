"""The sentences about ranks, whole."""

import signal
from dataclasses import replace

import pytest
from test_ranks_config import config_of
from test_ranks_plan import WITHOUT_IMAGE

from jupyter_hpcctr.ranks import explain
from jupyter_hpcctr.ranks.launcher import Start
from jupyter_hpcctr.ranks.slots import Node, Placement
from jupyter_hpcctr.ranks.world import World

OPEN_MPI = "Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4, repo rev: v4.1.4, May 26, 2022"
MPICH_3 = "MPICH Version:\t3.4.1\nMPICH Release date:\tWed Jan 20 14:52:04 CST 2021\nMPICH ABI:\t13:10:1"
MPICH_4 = "MPICH Version:      4.0.2\nMPICH Release date: Thu Apr  7 12:34:45 CDT 2022\nMPICH ABI:          14:2:2"
INTEL = "Intel(R) MPI Library 2021.10 for Linux* OS\n"
CRAY = "MPI VERSION    : CRAY MPICH version 8.1.32.110 (ANL base 3.4a2)\nMPI BUILD INFO : Tue Oct 22 2024"


@pytest.fixture
def make(tmp_path):
    def make(ranks=4, shown="srun --mpi=pmix", up=None, said=""):
        placement = Placement(ranks, (Node("n1", 2), Node("n2", 2)), 2, over=False)
        (tmp_path / "log").write_text(said)
        world = World("w", placement, Start([], {}, {}, shown, by_step="--mpi=" in shown), log=str(tmp_path / "log"))
        world.receive("n1", [["up", [rank], {"mpi": mpi, "mpi_error": None}] for rank, mpi in (up or {}).items()])
        return world

    return make


def mpi(size, library=OPEN_MPI):
    return {"rank": 0, "size": size, "library": library}


@pytest.mark.parametrize(
    ("library", "expected"),
    [
        (OPEN_MPI, "Open MPI v4.1.4"),
        (MPICH_3, "MPICH 3.4.1"),
        (MPICH_4, "MPICH 4.0.2"),
        (INTEL, "Intel(R) MPI Library 2021.10 for Linux* OS"),
        (CRAY, "MPI VERSION : CRAY MPICH version 8.1.32.110 (ANL base 3.4a2)"),
        ("", ""),
    ],
)
def test_a_library_in_few_words(library, expected):
    assert explain.short(library) == expected


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        ([3], "rank 3"),
        ([1, 0], "ranks 0–1"),
        ({7, 3, 0, 2, 1}, "ranks 0–3, 7"),
        ({0: "a", 2: "b", 4: "c"}, "ranks 0, 2, 4"),
        (range(128), "ranks 0–127"),
    ],
)
def test_ranks_as_people_write_them(ranks, expected):
    assert explain.ranges(ranks) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0, "ended with status 0"),
        (3, "ended with status 3"),
        (-9, "was ended by SIGKILL"),
        (-11, "was ended by SIGSEGV"),
        (-40, "was ended by signal 40"),
        (None, "is gone with its node n2"),
    ],
)
def test_how_a_rank_ended(make, status, expected):
    world = make()
    world.receive("n2", [["entered", [1], 4711]])
    world.lost("n2")
    assert explain.ending(status, world, 1) == expected


def test_a_rank_that_could_not_say_its_end_was_ended(make):
    world = make()
    world.receive("n1", [["entered", [1], 4711], ["gone", [1], None]])
    assert explain.ending(None, world, 1) == "was ended with the others"


def test_ranks_that_did_not_start(make):
    world = make(said="srun: error: one\n\nsrun: error: two\n")
    world.receive("n1", [["out", [0], "stderr", "cannot\nimport\n"], ["gone", [1], -6], ["gone", [0], 1]])
    assert [line for line in explain.not_started(world).splitlines() if line] == [
        "the ranks did not start (rank 0 ended with status 1; rank 1 was ended by SIGABRT):",
        *("cannot", "import", "srun: error: one", "srun: error: two"),
    ]


def test_ranks_of_which_nothing_is_known(make):
    assert explain.not_started(make()) == "the ranks did not start (srun --mpi=pmix ended)"


def test_of_many_that_did_not_start_some_are_named(make):
    world = make(ranks=64)
    world.receive("n1", [["gone", [rank], 1] for rank in range(64)])
    said = explain.not_started(world)
    assert said.count("ended with status 1") == 4
    assert said.startswith("the ranks did not start (rank 0 ended")


def test_of_much_that_was_printed_the_end_is_shown(make):
    world = make(said="".join(f"line {n}\n" for n in range(5000)))
    assert explain.too_slow(world, 180.0).splitlines() == [
        "ranks 0–3 did not become ready in 180 s:",
        *(f"line {n}" for n in range(4988, 5000)),
    ]


def test_ranks_that_are_not_ready(make):
    assert explain.too_slow(make(up={0: mpi(4), 2: mpi(4)}), 2.5) == "ranks 1, 3 did not become ready in 2.5 s"


@pytest.mark.parametrize(
    ("ranks", "up", "shown", "expected"),
    [
        (2, {0: mpi(2), 1: mpi(2)}, "mpiexec", ""),
        (1, {0: mpi(1)}, "mpiexec", ""),
        (2, {0: None, 1: None}, "mpiexec", ""),
        (
            2, {0: mpi(1), 1: mpi(1)}, "srun --mpi=pmi2",
            "2 processes, each believes that it is alone: the image's Open MPI v4.1.4 and srun --mpi=pmi2 "
            "do not find each other",
        ),
        (
            4, {0: mpi(2, MPICH_4), 1: mpi(2), 2: mpi(4)}, "mpiexec",
            "4 processes, they see worlds of [2, 4] ranks: the image's MPICH 4.0.2 and mpiexec do not find each other",
        ),
    ],
)  # fmt: skip
def test_ranks_that_do_not_find_one_another(make, ranks, up, shown, expected):
    assert explain.alone(make(ranks=ranks, up=up, shown=shown)) == expected


@pytest.mark.parametrize(
    ("library", "shown", "offered", "expected"),
    [
        (
            OPEN_MPI, "srun --mpi=pmi2", "pmi2, pmix_v4",
            "Open MPI v4.1.4 does not speak what srun --mpi=pmi2 offers, and this scheduler offers pmi2, pmix_v4; "
            "Open MPI usually speaks pmix, MPICH and Intel MPI pmi2: %mpirun restart --pmi NAME",
        ),
        (
            MPICH_4, "srun --mpi=pmix", "",
            "MPICH 4.0.2 does not speak what srun --mpi=pmix offers; Open MPI usually speaks pmix, MPICH and Intel MPI "
            "pmi2: %mpirun restart --pmi NAME",
        ),
        (
            OPEN_MPI, "mpiexec", "",
            "the mpiexec is of another MPI than mpi4py's: install mpi4py for the MPI whose mpiexec is first on PATH",
        ),
    ],
)  # fmt: skip
def test_what_may_help_ranks_that_are_alone(make, library, shown, offered, expected):
    assert explain.hint_pmi(make(up={0: mpi(1, library)}, shown=shown), offered) == expected


def test_ranks_without_mpi(make):
    world = make()
    world.receive("n1", [["up", [0], {"mpi": None, "mpi_error": "No module named 'mpi4py'"}]])
    assert explain.no_mpi(world) == "the ranks run without MPI, each for itself: No module named 'mpi4py'"


FAST = {"in_node_gb_s": 7.25, "between_gb_s": None}
SLOW = {"in_node_gb_s": 0.4, "between_gb_s": 11.0}


@pytest.mark.parametrize(
    ("results", "other", "shares", "ok", "lines"),
    [
        ({0: FAST, 1: {}}, OPEN_MPI, True, True, ["checked: 7.2 GB/s in a node"]),
        ({0: {}, 1: {}}, OPEN_MPI, True, True, []),
        (
            {0: SLOW, 1: {}}, OPEN_MPI, True, False,
            [
                "checked: 0.4 GB/s in a node, 11.0 GB/s between nodes",
                "ranks of a node exchange only 0.40 GB/s: CPUs are shared or busy, or MPI copies messages twice",
            ],
        ),
        (
            {0: SLOW, 1: {}}, OPEN_MPI, False, False,
            [
                "checked: 0.4 GB/s in a node, 11.0 GB/s between nodes",
                "the engine gives each rank a container of its own: "
                "MPI was told to copy messages by way of shared memory",
                "ranks of a node exchange only 0.40 GB/s: CPUs are shared or busy, or MPI copies messages twice",
            ],
        ),
        (
            {0: FAST}, MPICH_4, True, False,
            [
                "the ranks use different MPI libraries: MPICH 4.0.2, Open MPI v4.1.4",
                "the check got no answer from rank 1: messages between ranks may hang",
                "checked: 7.2 GB/s in a node",
            ],
        ),
        (
            {}, OPEN_MPI, True, False,
            ["the check got no answer from ranks 0–1: messages between ranks may hang"],
        ),
    ],
)  # fmt: skip
def test_what_a_check_found(make, results, other, shares, ok, lines):
    found = explain.checked(make(ranks=2, up={0: mpi(2), 1: mpi(2, other)}), results, shares=shares)
    first = results.get(0, {})
    speeds = {name: first.get(name) for name in ("in_node_gb_s", "between_gb_s")}
    assert found["lines"] == [*found["error"], *(line for line in lines if "checked" in line), *found["info"]]
    assert sorted(found["lines"]) == sorted(lines)
    assert (found["ok"], found | speeds) == (ok, found)
    assert all("exchange only" in line or "a container of its own" in line for line in found["info"])
    assert not any("exchange only" in line or "checked" in line for line in found["error"])


VALUE = {"ename": "ValueError", "evalue": "no"}
KEY = {"ename": "KeyError", "evalue": "'a'"}


@pytest.mark.parametrize(
    ("status", "failed", "gone", "expected"),
    [
        ("timeout", {}, [], "the cell was ended after its time limit of 2.5 s"),
        ("interrupted", {}, [], "interrupted"),
        ("error", {1: VALUE}, [], "rank 1 of 4 failed with ValueError"),
        ("error", {1: VALUE, 2: KEY, 3: VALUE}, [], "ranks 1–3 of 4 failed with KeyError, ValueError"),
        ("error", {}, [0, 3], "ranks 0, 3 ended"),
        ("error", {1: KEY}, [0], "rank 1 of 4 failed with KeyError and rank 0 ended"),
    ],
)
def test_how_a_cell_went(status, failed, gone, expected):
    assert explain.outcome(status, failed, gone, 4, 2.5) == expected


@pytest.mark.parametrize(
    ("status", "codes", "expected"),
    [
        ("ok", {0: 0, 1: 0}, None),
        ("timeout", {0: 0, 1: None}, "the program was ended after its time limit of 2.5 s"),
        ("interrupted", {0: None, 1: None}, "interrupted"),
        ("error", {0: None, 1: None}, "the program did not start:\nsrun: error: no"),
        ("error", {0: 0, 1: 3}, "rank 1 ended with status 3"),
        ("error", {0: 3, 1: None, 2: 3}, "ranks 0, 2 ended with status 3"),
        ("error", {0: 127, 1: 127}, "ranks 0–1 ended with status 127 (not found)"),
        ("error", {0: 126, 1: 1}, "rank 0 ended with status 126 (cannot be executed); rank 1 ended with status 1"),
        ("error", {0: -9, 1: 0, 2: -9, 3: -11}, "ranks 0, 2 were ended by SIGKILL; rank 3 was ended by SIGSEGV"),
        ("error", {0: -40, 1: None}, "rank 0 was ended by signal 40"),
        ("error", {0: 0, 1: None, 2: None}, "ranks 1–2 did not come to an end"),
    ],
)
def test_how_a_program_went(status, codes, expected):
    assert explain.program(status, codes, "srun: error: no", 2.5) == expected


def test_every_signal_has_a_name_or_a_number(make):
    for number in range(1, signal.SIGRTMAX + 1):
        assert explain.ending(-number, make(), 0).startswith("was ended by ")
        assert explain.program("error", {0: -number}, "", None).startswith("rank 0 was ended by ")


def run(flow):
    """Run a generator to its end and return its value."""
    try:
        while True:
            next(flow)
    except StopIteration as ended:
        return ended.value


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (r"MPI plugin types are...\n\tnone\n\tpmi2\n\tpmix\nspecific pmix plugin versions available: pmix_v4\n",
         "none, pmi2, pmix, specific pmix plugin versions available: pmix_v4"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_a_scheduler_offers(tmp_path, monkeypatch, printed, expected):
    srun = tmp_path / "srun"
    srun.write_text(f"#!/bin/sh\n[ \"$*\" = --mpi=list ] && printf '{printed}'\n")
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    config = config_of(WITHOUT_IMAGE, run_dir=str(tmp_path))
    assert run(explain.offered(config)) == expected
    assert [each.name for each in tmp_path.iterdir()] == ["srun"]


def test_without_a_scheduler_nothing_is_offered():
    config = config_of(replace(WITHOUT_IMAGE, steps=None), run_dir="/no")
    assert run(explain.offered(config)) == ""
