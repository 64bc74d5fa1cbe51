"""Folding what many ranks print."""

import random
import time

from jupyter_hpcctr.guest.mpirun.fold import Fold
from jupyter_hpcctr.guest.mpirun.labels import label, ranges, size


def shown(fold):
    return "".join(text for kind, text in fold.take() if kind != "display")


def say(fold, rank, text, now=0.0, stream="stdout"):
    fold.add([rank], stream, text, now)
    fold.pump(now)


def test_ranges_are_drawn_together():
    assert ranges([3, 0, 1, 2, 7]) == "0–3, 7"
    assert label([5]) == "rank 5"
    assert label(range(63)) == "ranks 0–62"
    assert size(999) == "999 bytes"
    assert size(104_900_000) == "104.9 MB"


def test_what_all_print_is_one_line_and_there_at_once():
    fold = Fold(range(3), 3)
    for rank in range(2):
        say(fold, rank, "step 1\n")
    assert fold.take() == []
    say(fold, 2, "step 1\n")
    assert fold.take() == [("stdout", "ranks 0–2 │ step 1\n")]
    assert fold.due() is None


def test_what_the_relay_folded_already_is_one_line():
    fold = Fold(range(4), 4)
    fold.add([0, 1, 2, 3], "stdout", "a\nb\n", 0.0)
    assert shown(fold) == "ranks 0–3 │ a\nranks 0–3 │ b\n"


def test_one_that_differs_is_told_apart_and_aligned():
    fold = Fold(range(64), 64)
    fold.add(list(range(63)), "stdout", "fine\n", 0.0)
    say(fold, 63, "not fine\n")
    assert shown(fold) == ""
    fold.pump(0.25)
    assert shown(fold) == "ranks 0–62 │ fine\nrank 63    │ not fine\n"


def test_a_line_waits_for_slower_ranks_but_not_longer_than_it_may():
    fold = Fold(range(2), 2, hold_s=0.25)
    say(fold, 0, "x\n", 10.0)
    assert fold.due() == 10.25
    fold.pump(10.2)
    assert shown(fold) == ""
    fold.pump(10.25)
    assert shown(fold) == "rank 0    │ x\n"
    say(fold, 1, "x\n", 10.3)  # too late to be folded, but not lost
    fold.flush()
    assert shown(fold) == "rank 1    │ x\n"


def test_ranks_that_have_ended_are_not_waited_for():
    fold = Fold(range(3), 3)
    fold.finished([2])
    say(fold, 0, "x\n")
    say(fold, 1, "x\n")
    assert shown(fold) == "ranks 0–1 │ x\n"


def test_common_lines_after_lines_that_differ_are_still_folded():
    fold = Fold(range(3), 3)
    for rank in range(3):
        say(fold, rank, f"I am {rank}\nready\nmy part is {rank * 10}\ndone\n")
    fold.flush()
    assert shown(fold).splitlines() == [
        "rank 0    │ I am 0",
        "rank 1    │ I am 1",
        "rank 2    │ I am 2",
        "ranks 0–2 │ ready",
        "rank 0    │ my part is 0",
        "rank 1    │ my part is 10",
        "rank 2    │ my part is 20",
        "ranks 0–2 │ done",
    ]


def test_the_lines_of_one_text_stay_together():
    fold = Fold(range(2), 2)
    say(fold, 1, "[[1 1]\n [1 1]]\n", 0.0)
    say(fold, 0, "[[0 0]\n [0 0]]\n", 0.05)
    fold.pump(0.26)
    assert shown(fold).splitlines() == [
        "rank 0    │ [[0 0]",
        "rank 0    │  [0 0]]",
        "rank 1    │ [[1 1]",
        "rank 1    │  [1 1]]",
    ]


def test_opposite_orders_end_and_keep_each_ranks_order():
    fold = Fold(range(2), 2)
    say(fold, 0, "a\nb\n")
    say(fold, 1, "b\na\n")
    fold.flush()
    assert shown(fold).splitlines() == ["rank 1    │ b", "ranks 0–1 │ a", "rank 0    │ b"]


def test_nothing_is_lost_and_each_ranks_order_is_kept_whatever_comes():
    chance = random.Random(7)
    for _ in range(30):
        ranks = chance.randint(2, 6)
        fold, now, sent, text = Fold(range(ranks), ranks), 0.0, {}, []
        for _ in range(60):
            now += chance.choice([0.0, 0.05, 0.3])
            rank, line = chance.randrange(ranks), chance.choice("abcd")
            stream = chance.choice(["stdout", "stderr"])
            sent.setdefault(rank, []).append((stream, line))
            fold.add([rank], stream, line + "\n", now)
            fold.pump(now)
            text += fold.take()
        fold.flush()
        text += fold.take()
        got = {}
        for stream, lines in text:
            for line in lines.splitlines():
                names, _, content = line.partition(" │ ")
                for rank in range(ranks):
                    if any(rank in run for run in as_ranges(names)):
                        got.setdefault(rank, []).append((stream, content))
        assert got == sent


def as_ranges(names):
    for part in names.split(maxsplit=1)[1].split(","):
        first, _, last = part.strip().partition("–")
        yield range(int(first), int(last or first) + 1)


def test_streams_are_kept_apart():
    fold = Fold([0], 2)
    say(fold, 0, "out\n")
    say(fold, 0, "err\n", stream="stderr")
    assert fold.take() == [("stdout", "rank 0    │ out\n"), ("stderr", "rank 0    │ err\n")]


def test_a_world_of_one_rank_has_no_margin_and_keeps_its_text_as_it_is():
    fold = Fold([0], 1)
    say(fold, 0, "no end\rover")
    assert shown(fold) == "no end\rover"


def test_beginnings_of_lines_wait_for_their_ends():
    fold = Fold([1], 4)
    say(fold, 1, "half ", 0.0)
    say(fold, 1, "a line\n", 0.5)
    assert shown(fold) == "rank 1    │ half a line\n"


def test_a_beginning_without_an_end_is_shown_after_a_second_and_its_late_end_is_no_empty_line():
    fold = Fold([0], 2)
    say(fold, 0, "computing...", 0.0)
    fold.pump(0.9)
    assert shown(fold) == ""
    assert fold.due() == 1.0
    fold.pump(1.0)
    assert shown(fold) == "rank 0    │ computing...\n"
    say(fold, 0, "\n", 1.1)
    say(fold, 0, "\nnext\n", 1.2)  # this one is an empty line
    assert shown(fold) == "rank 0    │ \nrank 0    │ next\n"


def test_of_a_progress_bar_only_states_once_in_a_while_are_kept():
    fold, lines = Fold([0], 2), []
    for step in range(1, 401):
        say(fold, 0, f"\r{step / 4:.0f}%", step * 0.02, "stderr")
        lines += shown(fold).splitlines()
    say(fold, 0, "\n", 8.1, "stderr")
    lines += shown(fold).splitlines()
    assert 3 <= len(lines) <= 5  # after about 1, 3 and 7 seconds, and at the end
    assert lines[-1] == "rank 0    │ 100%"


def test_an_overwritten_line_is_its_last_state():
    fold = Fold([0], 2)
    say(fold, 0, "10%\r20%\r100%\nwindows\r\n")
    assert shown(fold) == "rank 0    │ 100%\nrank 0    │ windows\n"


def test_what_is_too_much_is_counted():
    fold = Fold([0], 2, bound=100)
    for _ in range(50):
        say(fold, 0, "x" * 9 + "\n")
    assert len(shown(fold).splitlines()) == 11
    assert fold.left_out == 39 * 9


def test_blocks_are_compared_as_a_whole_and_indented():
    fold = Fold(range(2), 2)
    for rank in range(2):
        fold.block(rank, "array([1,\n       2])", 0.0)
    fold.pump(0.0)
    assert shown(fold) == "ranks 0–1 │ array([1,\n          │        2])\n"


def test_displays_keep_their_place_in_the_text():
    fold = Fold(range(2), 2)
    for rank in range(2):
        fold.add([rank], "stdout", "before\n", 0.0)
        fold.display(rank, "figure", 0.0)
        fold.add([rank], "stdout", "after\n", 0.0)
    fold.pump(0.0)
    kinds = [kind if kind == "display" else text.split(" │ ")[1].strip() for kind, text in fold.take()]
    assert kinds == ["before", "display", "after"]


def test_dropped_text_does_not_come_back():
    fold = Fold(range(2), 2)
    say(fold, 0, "gone\nand this")
    fold.drop(0)
    say(fold, 1, "stays\n")
    fold.flush()
    assert shown(fold) == "rank 1    │ stays\n"


def test_it_is_fast_enough_for_64_talkative_ranks():
    for text in ("step {step}\n", "step {step} of {rank}\n"):
        fold = Fold(range(64), 64)
        begun = time.process_time()
        for rank in range(64):
            say(fold, rank, "".join(text.format(step=step, rank=rank) for step in range(2000)))
        fold.flush()
        assert shown(fold).count("\n") in (2000, 128_000)
        assert time.process_time() - begun < 5  # 0.3 and 0.5 s on a machine of 2020
