"""What may be written after %%mpirun and %mpirun, and what is said about the rest."""

import pytest

from jupyter_hpcctr.guest.mpirun.complete import words
from jupyter_hpcctr.guest.mpirun.errors import MpirunUsageError
from jupyter_hpcctr.guest.mpirun.magic import HELP
from jupyter_hpcctr.guest.mpirun.options import COMMANDS, OPTIONS, of_cell, of_line


def given(options):
    return {name: value for name, value in vars(options).items() if value not in (None, False, [], "cell")}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {}),
        ("-n 4", {"ranks": 4}),
        ("-n4", {"ranks": 4}),
        ("--ranks=4 --ranks-per-node 2", {"ranks": 4, "ranks_per_node": 2}),
        ("--rank 0,3-5 --timeout 1.5", {"rank": [0, 3, 4, 5], "timeout": 1.5}),
        ("--rank '0–1, 3'", {"rank": [0, 1, 3]}),
        ("--fresh --quiet --oversubscribe", {"fresh": True, "quiet": True, "oversubscribe": True}),
        ("--collect u --pmi pmi2  # a comment", {"collect": "u", "pmi": "pmi2"}),
        ("# only a comment", {}),
        ("--exec -n 2", {"exec": True, "ranks": 2}),
    ],
)
def test_options_of_a_cell(line, expected):
    assert given(of_cell(line)) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("start -n 2 --fresh", {"command": "start", "ranks": 2, "fresh": True}),
        ("stop", {"command": "stop"}),
        ("push u v --rank 1", {"command": "push", "names": ["u", "v"], "rank": [1]}),
        ("pull u", {"command": "pull", "names": ["u"]}),
        (
            "run -n 2 --timeout 5 ./solve -n 100 --rank x '# no comment' -- --quiet",
            {
                "command": "run",
                "ranks": 2,
                "timeout": 5.0,
                "argv": ["./solve", "-n", "100", "--rank", "x", "# no comment", "--", "--quiet"],
            },
        ),
        ("run -n 2 -- -odd-name a", {"command": "run", "ranks": 2, "argv": ["-odd-name", "a"]}),
    ],
)
def test_lines(line, expected):
    assert given(of_line(line)) == expected


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--rnaks 4", "%%mpirun has no option --rnaks: did you mean --ranks?"),
        ("-n", "--ranks needs a value: --ranks 4"),
        ("-n --fresh", "--ranks needs a value"),
        ("-n four", "--ranks needs a whole number from 1 on, not 'four'"),
        ("-n 0", "whole number from 1 on"),
        ("-n -3", "whole number from 1 on"),
        ("--timeout 0", "--timeout needs a number of seconds above 0"),
        ("--timeout nan", "--timeout needs a number of seconds above 0"),
        ("--rank 3-1", "--rank needs numbers of ranks, not '3-1': --rank 0,3-5"),
        ("--rank ,", "--rank needs numbers of ranks"),
        ("-n 4 --rank 4", "--rank 4 is none of 4 ranks: they are numbered from 0 to 3"),
        ("--collect 3u", "'3u' is none"),
        ("--collect for", "'for' is none"),
        ("--fresh=1", "--fresh takes no value"),
        ("--exec --collect u", "--collect means nothing together with --exec"),
        ("print(1)", "the code goes into the lines below"),
        ("run ./a", "write it on a line of its own, with one %: %mpirun run"),
        ("'open", "a quotation mark is opened and not closed in: 'open"),
    ],
)
def test_a_cell_that_cannot_be_read_says_what_to_write(line, sentence):
    with pytest.raises(MpirunUsageError) as caught:
        of_cell(line)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "begin it with %%mpirun (two %)"),
        ("-n 4", "needs one of start, stop"),
        ("strat", "did you mean start?"),
        ("x = 1", "Code for the ranks goes into a cell"),
        ("push", "%mpirun push u"),
        ("push u[0]", "'u[0]' is none: assign it to one first"),
        ("pull u v", "one name at a time: u = %mpirun pull u"),
        ("stop now", "takes no 'now'"),
        ("stop -n 2", "--ranks means nothing for %mpirun stop: it takes no options"),
        ("run -n 2", "%mpirun run needs a program"),
        ("run --np 2 ./a", "The program's own options go behind its name."),
    ],
)
def test_a_line_that_cannot_be_read_says_what_to_write(line, sentence):
    with pytest.raises(MpirunUsageError) as caught:
        of_line(line)
    assert sentence in str(caught.value)


def test_the_help_knows_all_options_and_commands():
    for option in OPTIONS:
        assert f"{option.name} {option.takes}".rstrip() in HELP, option.name
        assert option.says in HELP or option.says.split(",")[0] in HELP
    for command in COMMANDS:
        assert f"%mpirun {command}" in HELP


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%%mpirun --ra", ["--ranks", "--ranks-per-node", "--rank"]),
        ("%%mpirun --fresh --f", []),
        ("%%mpirun --pmi ", ["pmix", "pmi2"]),
        ("%%mpirun --collect al", ["alpha"]),
        ("%%mpirun -n ", None),
        ("%mpirun st", ["start", "stop", "status"]),
        ("%mpirun push ", ["alpha", "beta"]),
        ("%mpirun push alpha ", ["beta"]),
        ("%mpirun push --", ["--ranks", "--ranks-per-node", "--oversubscribe", "--pmi", "--rank"]),
        ("u = %mpirun pull be", ["beta"]),
        ("%mpirun run --time", ["--timeout"]),
        ("%mpirun run ./a --time", None),  # the program's
        ("%mpirun run -n 4 ./a --time", None),
        ("%mpirunx --ra", None),
        ("mpirun = 4", None),
    ],
)
def test_completion(text, expected):
    assert words(text, ["beta", "alpha", "_hidden", "In"]) == expected
