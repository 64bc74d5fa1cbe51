"""Environment definition files in the form: opened from the server and from one's own computer, and written."""

from jupyter_hpcctr import edf

TEXT = """
image = "registry.example.org#lab/tool:1"
[env]
GREETING = "hello"
[x-hpcctr]
nodes = 2
time = "0:05:00"
"""
BAD = f"{TEXT}node = 3\n"


def named(form, path):
    """Name a file on the server."""
    if not form.get_by_label("File on the server").is_visible():
        form.get_by_role("button", name="EDF file…").click()
    form.get_by_label("File on the server").fill(path)


def test_a_file_fills_the_form_and_the_form_writes_one_that_says_the_same(desk, lab, tmp_path):
    (lab.site.cwd / "tool.toml").write_text(TEXT)
    desk.command("hpcctr:new")
    form = desk.picker()
    form.get_by_role("option").first.wait_for()

    named(form, "tool.toml")
    assert desk.accessible(".jp-Hpcctr-dialog") == []
    form.get_by_role("button", name="Open EDF").click()
    form.get_by_role("status", name="Done").get_by_text("It also sets what has no field here: env.").wait_for()
    form.get_by_text("registry.example.org/lab/tool:1").first.wait_for()
    assert form.get_by_label("Nodes", exact=True).input_value() == "2"

    form.get_by_label("Nodes", exact=True).fill("1")
    named(form, "saved.toml")
    form.get_by_role("button", name="Save as EDF").click()
    form.get_by_role("status", name="Done").get_by_text("saved.toml is written.").wait_for()
    saved = edf.load("saved.toml", env={}, cwd=str(lab.site.cwd)).request
    assert saved.image.text == "registry.example.org/lab/tool:1"
    assert saved.env == {"GREETING": "hello"}
    assert (saved.resources.nodes, saved.resources.time_minutes) == (1, 5)

    mine = tmp_path / "mine.toml"
    mine.write_text(BAD)
    named(form, "saved.toml")
    with desk.page.expect_file_chooser() as chooser:
        form.get_by_role("button", name="From this computer…").click()
    chooser.value.set_files(mine)
    form.get_by_role("alert").get_by_text("mine.toml, line 8: unknown request field 'node'").wait_for()
    assert desk.accessible(".jp-Hpcctr-dialog") == []
    assert form.get_by_label("Nodes", exact=True).input_value() == "1", "what is wrong changes nothing"

    mine.write_text(TEXT)
    with desk.page.expect_file_chooser() as chooser:
        form.get_by_role("button", name="From this computer…").click()
    chooser.value.set_files(mine)
    form.get_by_role("status", name="Done").get_by_text("mine.toml fills the form.").wait_for()
    assert form.get_by_label("Nodes", exact=True).input_value() == "2"
    assert lab.jobs() == []
    desk.expected.append("saved.toml")  # the browser tells of each answer that is 404: there is no such file yet
    desk.leave()
