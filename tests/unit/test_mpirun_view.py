"""What events look like in a notebook: on a screen that only records."""

import base64
import re

import pytest

from jupyter_hpcctr.guest.mpirun.rich import WIDGET, Slot, as_html, bundle
from jupyter_hpcctr.guest.mpirun.view import View

PNG = base64.b64encode(b"\x89PNG zero").decode()
OTHER_PNG = base64.b64encode(b"\x89PNG one").decode()
FIGURE = {"image/png": PNG, "text/plain": "<Figure>"}


class Screen:
    """Keeps what is shown. It has no widgets: those are for the real kernel."""

    def __init__(self, rich=True):
        self.rich = rich
        self.shown = []
        self.now = 0.0

    def write(self, stream, text):
        if text:
            self.shown.append((stream, text))

    def remark(self, text):
        self.shown.append(("remark", text))

    def publish(self, data, metadata, display_id, update):
        self.shown.append(("update" if update else "display", data))

    def fleeting(self, text):
        self.shown.append(("fleeting", text))

    def vanish(self):
        pass

    def take(self):
        shown, self.shown = self.shown, []
        return shown


def view_of(screen, ranks=2, known=None, quiet=False):
    return View(screen, range(ranks), ranks, quiet, known, clock=lambda: screen.now)


def display(view, rank, data, message="display_data", display_id=None, **more):
    content = {"data": data, "metadata": {}, "transient": {"display_id": display_id} if display_id else {}, **more}
    view.handle({"event": "display", "rank": rank, "message": message, "content": content})


def out(view, ranks, text):
    view.handle({"event": "out", "items": [[ranks, "stdout", text]]})


def test_plain_results_are_folded_like_text():
    screen = Screen()
    view = view_of(screen)
    for rank in range(2):
        display(view, rank, {"text/plain": "6"}, "execute_result", execution_count=1)
    view.tick()
    assert screen.take() == [("stdout", "ranks 0–1 │ 6\n")]


def test_a_terminal_gets_the_plain_text_of_rich_results():
    screen = Screen(rich=False)
    view = view_of(screen)
    for rank in range(2):
        display(view, rank, FIGURE, display_id="a")
    view.close()
    assert screen.take() == [("stdout", "ranks 0–1 │ <Figure>\n")]


def test_equal_figures_are_shown_once_with_their_ranks():
    screen = Screen()
    view = view_of(screen)
    display(view, 0, FIGURE)
    display(view, 1, {**FIGURE, "text/plain": "<Figure at 0x7f>"})
    view.tick()
    ((kind, data),) = screen.take()
    assert kind == "display"
    assert data["image/png"] == PNG
    assert data["text/html"].count("<img") == 1
    assert "ranks 0–1" in data["text/html"]
    view.close()
    assert screen.take() == []


def test_a_lone_rank_shows_its_results_unchanged():
    screen = Screen()
    view = view_of(screen, ranks=1)
    out(view, [0], "before\n")
    display(view, 0, FIGURE)
    out(view, [0], "after\n")
    view.tick()
    assert screen.take() == [("stdout", "before\n"), ("display", FIGURE), ("stdout", "after\n")]


def test_figures_that_differ_are_tabs_of_one_output_after_the_text_before_them():
    screen = Screen()
    view = view_of(screen)
    for rank, png in enumerate((PNG, OTHER_PNG)):
        out(view, [rank], "plotting\n")
        display(view, rank, {"image/png": png, "text/plain": f"<Figure {rank}>"})
    view.close()
    (_, text), (kind, data) = screen.take()
    assert text == "ranks 0–1 │ plotting\n"
    assert kind == "display"
    assert data["text/plain"] == "rank 0:\n<Figure 0>\nrank 1:\n<Figure 1>"
    assert len(re.findall(r"<input type=.radio. ", data["text/html"])) == 2
    assert data["text/html"].count(" checked>") == 1
    sections = re.findall(r"<section>(.*?)</section>", data["text/html"])
    assert [png in section for png, section in zip((PNG, OTHER_PNG), sections, strict=True)] == [True, True]
    assert [f">rank {rank}<" in section for rank, section in enumerate(sections)] == [True, True]


def test_results_that_come_later_go_into_the_same_output_but_not_too_often():
    screen = Screen()
    view = view_of(screen, ranks=3)
    display(view, 0, FIGURE)
    screen.now = 0.25
    view.tick()
    assert [kind for kind, _ in screen.take()] == ["display"]
    display(view, 1, {"image/png": OTHER_PNG, "text/plain": "<Figure>"})
    view.tick()
    display(view, 2, {"image/png": OTHER_PNG, "text/plain": "<Figure>"})
    assert view.tick() == pytest.approx(0.25)
    assert screen.take() == []
    screen.now = 0.5
    view.tick()
    ((kind, data),) = screen.take()
    assert kind == "update"
    assert "ranks 1–2" in data["text/html"]


def test_displays_of_different_kinds_do_not_meet():
    screen = Screen()
    view = view_of(screen)
    display(view, 0, {"text/html": "<b>only mine</b>", "text/plain": "b"})
    display(view, 0, FIGURE)
    display(view, 1, FIGURE)
    view.close()
    assert ["rank 0" in screen.shown[0][1]["text/html"], "ranks 0–1" in screen.shown[1][1]["text/html"]] == [True, True]


def test_a_display_is_updated_by_its_rank_also_by_a_later_cell():
    screen, known = Screen(), {}
    first, second = view_of(screen, known=known), view_of(screen, known=known)
    for rank in range(2):
        display(first, rank, {"text/html": "old"}, display_id="same")
    first.close()
    screen.take()
    display(second, 1, {"text/html": "new"}, "update_display_data", "same")
    display(second, 1, {"text/html": "lost"}, "update_display_data", "unknown")
    second.close()
    ((kind, data),) = screen.take()
    assert kind == "update"
    assert "old" in data["text/html"]
    assert "new" in data["text/html"]


def test_an_animation_stays_in_its_place():
    screen = Screen()
    view = view_of(screen, ranks=1)
    for frame in range(5):
        screen.now = frame
        view.handle({"event": "display", "rank": 0, "message": "clear_output", "content": {"wait": True}})
        display(view, 0, {"image/png": f"frame{frame}"})
        view.tick()
    view.handle({"event": "display", "rank": 0, "message": "clear_output", "content": {"wait": False}})
    view.close()
    shown = [(kind, data.get("image/png")) for kind, data in screen.take()]
    assert shown == [("display", "frame0"), *(("update", f"frame{n}") for n in range(1, 5)), ("update", None)]


def test_widgets_of_ranks_and_what_html_cannot_hold():
    assert bundle([([0], {"text/html": "x"}, {})], 1, "n")[0] == {"text/html": "x"}
    slot = Slot(1)
    slot.put(0, {WIDGET: {"model_id": "of another process"}, "text/plain": "Button()"}, {})
    assert slot.bundle(0.0, live=False)[0] == {"text/plain": "Button()"}
    data, _ = bundle([([0, 1], {"text/markdown": "# Title"}, {})], 2, "n")
    assert data["text/markdown"] == "*ranks 0–1*\n\n# Title"
    assert "text/html" not in data


def test_html_of_results():
    assert as_html({"text/plain": "a < b"}, {}) == "<pre>a &lt; b</pre>"
    assert as_html({"image/png": "AA\nBB"}, {"image/png": {"width": 3}}).endswith(';base64,AABB" width="3">')
    assert as_html({"image/svg+xml": ["<svg>", "</svg>"]}, {}).startswith('<img src="data:image/svg+xml;base64,')


def test_trouble_is_shown_after_what_was_printed():
    screen = Screen()
    view = view_of(screen, ranks=3)
    out(view, [1], "last words")
    view.handle({"event": "failure", "ranks": [1], "ename": "E", "evalue": "v", "traceback": ["line 1", "E: v"]})
    view.handle({"event": "gone", "rank": 2, "why": "was ended by SIGKILL"})
    view.handle({"event": "stacks", "stacks": [[[0], ["in Recv"]]]})
    assert screen.take() == [
        ("stdout", "rank 1    │ last words\n"),
        ("stderr", "rank 1 failed:\nline 1\nE: v\n"),
        ("stderr", "rank 2 was ended by SIGKILL\n"),
        ("stderr", "where the other ranks stood:\nrank 0:\n  in Recv\n"),
    ]
    assert view.failures == [([1], "E", "v")]


def test_output_that_is_elsewhere_is_named():
    screen = Screen()
    view = view_of(screen, ranks=20)
    for rank in range(10):
        event = {"event": "spilled", "rank": rank, "stream": "", "path": f"/w/.mpirun/{rank}.txt", "bytes": 1}
        view.handle(event)
        view.handle({**event, "bytes": 104_900_000, "error": "No space: the rest was dropped" if rank == 1 else ""})
    view.close()
    ((_, text),) = screen.take()
    lines = text.splitlines()
    assert lines[0] == "… rank 0 wrote 104.9 MB: all of it is in /w/.mpirun/0.txt"
    assert lines[1] == "… rank 1 wrote more, which is not all in /w/.mpirun/1.txt: No space: the rest was dropped"
    assert lines[8:] == ["… and so did 2 more, in /w/.mpirun"]


def test_quiet_shows_only_what_is_wrong():
    screen = Screen()
    view = view_of(screen, quiet=True)
    out(view, [0, 1], "text\n")
    display(view, 0, FIGURE)
    view.handle({"event": "notice", "text": "starting", "level": "info", "fleeting": True})
    view.handle({"event": "notice", "text": "reduced", "level": "info", "fleeting": False})
    view.handle({"event": "notice", "text": "careful", "level": "warning", "fleeting": False})
    view.handle({"event": "notice", "text": "broken", "level": "error", "fleeting": False})
    view.handle({"event": "of a newer hub"})
    view.close()
    assert screen.take() == [("remark", "careful"), ("stderr", "broken\n")]


def test_what_could_be_better_is_a_quiet_line():
    screen = Screen()
    view = view_of(screen)
    for level in ("info", "warning", "error"):
        for _ in range(2):
            view.handle({"event": "notice", "text": level, "level": level, "fleeting": False})
    assert screen.take() == [("remark", "info"), ("remark", "warning"), ("stderr", "error\n")]
