"""The form and the picker as widgets, with a site that is made up."""

import contextlib
import time
from dataclasses import replace

import ipywidgets
import pytest
from support.fake_site import SLURM, STORED, FakeSite

from jupyter_hpcctr.core.facts import Changed
from jupyter_hpcctr.core.limits import Problem
from jupyter_hpcctr.errors import PolicyError, RequestError, SchedulerUnreachable
from jupyter_hpcctr.widgets import ImagePicker, ResourceForm, picker
from jupyter_hpcctr.widgets.home import Home


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    site = FakeSite()
    with contextlib.closing(site):
        yield site


@pytest.fixture
def form(site):
    return ResourceForm(home=Home(site))


class FakeKernel:
    """Notes what would have been started."""

    made = ()

    def __init__(self, request, *, cwd=None, home=None):
        if FakeKernel.refuses:
            raise PolicyError("not <here>", hint="ask")
        self.request, self.cwd = request, cwd
        name = f"l{len(FakeKernel.made) + 1}"
        home.hub.begin(name, state="pending", kernel_id=f"k{name}", job=f"1{len(FakeKernel.made) + 2}")
        self.status = home.hub.known[name]
        FakeKernel.made = (*FakeKernel.made, self)


@pytest.fixture
def kernels(monkeypatch):
    monkeypatch.setattr(picker, "Kernel", FakeKernel)
    FakeKernel.made, FakeKernel.refuses = (), False
    return FakeKernel


def settle(home, wanted, patience_s=20):
    """Do what other threads post until something is so, as a kernel's event loop does."""
    until = time.monotonic() + patience_s
    while not wanted():
        assert time.monotonic() < until
        home.drain()
        time.sleep(0.01)


def controls(widget):
    for child in getattr(widget, "children", ()):
        yield from controls(child)
    if isinstance(widget, (ipywidgets.Button, ipywidgets.Text, ipywidgets.Select, ipywidgets.Dropdown)):
        yield widget


def test_the_form_has_what_the_site_has_with_its_own_names(form):
    titles = {name: field.control.description for name, field in form.fields.items()}
    assert titles == {
        "partition": "Partition", "nodes": "Nodes", "ntasks": "MPI ranks", "gpus_per_node": "GPUs per node",
        "time": "Time limit", "cpus_per_task": "CPUs per rank", "mem": "Memory per node", "gpu_type": "GPU type",
        "constraint": "InfiniBand", "account": "Account", "qos": "Quality of service",
    }  # fmt: skip
    assert [each for _, each in form.fields["partition"].control.options] == [None, "debug", "gpu"]
    assert form.request.resources.partition == "debug"
    assert form.request.resources.time_minutes == 30
    assert form.request.resources.account == "physics"
    assert form.request.resources.gpus_per_node == 0


def test_what_is_filled_in_is_the_request_and_the_other_way_round(site):
    asked = {"image": "a/b:1", "engine": "charliecloud", "nodes": 2, "mem": "2G", "time": "1:30:00", "env": {"A": "b"}}
    form = ResourceForm(asked, home=Home(site))
    assert form.request.resources.mem_mb == 2048
    assert form.request.resources.partition is None, "what was given is not filled up"
    assert form.fields["time"].control.value == "1:30:00"
    assert (form.request.env, form.request.image.text) == ({"A": "b"}, "a/b:1")
    form.put(gpus_per_node=2, gpu_type="a100", reservation="r1")
    assert form.request.resources.gpus_per_node == 2
    assert form.request.resources.reservation == "r1"
    form.request = {"image": "c/d:1", "partition": "elsewhere"}
    assert form.request.resources.partition == "elsewhere", "it is said beside the field that there is none"
    assert form.request.resources.reservation is None


def test_what_cannot_be_understood_is_said_beside_its_field(form):
    form.fields["time"].control.value = "soon"
    with pytest.raises(RequestError):
        _ = form.request
    beside = form.fields["time"]
    assert 'role="alert"' in beside.problem.value
    assert "soon" in beside.problem.value
    assert beside.problem.layout.display == ""
    assert form.problems[0].field == "time"
    form.fields["time"].control.value = "10"
    assert form.fields["time"].problem.value == ""
    form.fields["nodes"].control.value = 0
    assert "above zero" in form.fields["nodes"].problem.value


def test_the_preview_is_shown_with_costs_reasons_and_problems(form):
    found = form.preview()
    assert found.cost.amount == 2.5
    for words in ("--nodes=1 &lt;x&gt;", "2026-01-02 03:04", "at most 2.50 EUR", "time 60 → 30", "fetched first"):
        assert words in form.what.value
    form.put(nodes=3)
    assert form.problems == ()
    form.preview()
    assert "debug has 2 nodes, not 3 (ask for 2)" in form.fields["nodes"].problem.value


def test_a_problem_of_no_field_is_shown_below_them(form, site):
    site.problems = (Problem("image", "no such image"),)
    form.preview()
    assert "no such image" in form.message.value


def test_a_scheduler_that_does_not_answer_leaves_a_form_that_says_so(site):
    site.sites["slurm"] = SchedulerUnreachable("slurm does not answer", hint="wait")
    form = ResourceForm({"nodes": 2, "partition": "debug"}, home=Home(site))
    assert "slurm does not answer (wait)" in form.message.value
    assert form.request.resources.partition == "debug"
    site.sites["slurm"] = SLURM
    form.scheduler.value = "local"
    form.scheduler.value = "slurm"
    settle(form._home, lambda: "partition" in form.fields)
    assert form.message.value == ""
    assert form.request.resources.time_minutes == 30


def test_another_scheduler_has_other_fields(form):
    form.put(image="a/b:1")
    form.scheduler.value = "local"
    settle(form._home, lambda: form.site is not None and form.site.scheduler == "local")
    assert "partition" not in form.fields
    assert form.request.scheduler == "local"
    assert form.request.image.text == "a/b:1"


def test_the_fields_are_those_of_the_partition(form):
    hidden = {name for name, field in form.fields.items() if field.layout.display == "none"}
    assert hidden == {"gpus_per_node", "gpu_type"}
    assert "A node has 4" in form.fields["cpus_per_task"].help.value
    form.fields["partition"].control.value = "gpu"
    assert form.fields["gpus_per_node"].layout.display == ""
    assert "7 a100 idle" in form.fields["gpus_per_node"].help.value
    form.put(gpus_per_node=1, gpu_type="a100", partition="debug")
    assert form.fields["gpus_per_node"].layout.display == "", "what is asked for can be taken back"


def test_a_site_that_has_another_configuration_by_now_is_told_of(site):
    site.changed = lambda: Changed(0.0, "the site's <configuration> has changed", ("max_nodes",))
    form = ResourceForm(home=Home(site))
    assert "&lt;configuration&gt; has changed (restart this notebook&#x27;s kernel to use it)" in form.notice.value
    site.changed = lambda: None
    form.request = {"nodes": 2}
    assert form.notice.value == ""


def test_images_are_listed_with_what_is_known_of_them(site):
    made = ImagePicker(hub=site)
    lines = [line for line, _ in made.images.list.options]
    assert lines[0] == f"{STORED.reference} — on the cluster, 312 MB, ipykernel 7.4.0, Open MPI 4.1.4"
    assert lines[1] == "Python — not on the cluster yet"
    assert lines[2].startswith("No image")
    assert made.request.image.text == STORED.reference
    made.images.list.value = "registry.example.org/hpc/python:1"
    assert "For &lt;all&gt;" in made.images.about.value
    assert made.request.image.text == "registry.example.org/hpc/python:1"
    made.images.list.value = ""
    assert made.request.image is None


def test_no_image_can_be_chosen_in_the_place_of_one_that_was_given(site):
    made = ImagePicker({"image": STORED.reference}, hub=site)
    assert made.request.image.text == STORED.reference
    made.images.list.value = ""
    assert made.images.reference is None
    assert made.request.image is None


def test_the_search_narrows_the_list_and_takes_whole_references(site):
    made = ImagePicker(hub=site)
    made.images.search.value = "python"
    made._home.wait(made.images.refresh(), 10)
    assert [each for _, each in made.images.list.options] == ["registry.example.org/hpc/python:1", ""]
    made.images.search.value = "registry.example.org/other/one:7"
    made._home.wait(made.images.refresh(), 10)
    assert made.request.image.text == "registry.example.org/other/one:7"
    made.images.search.value = "found"
    made.images.ask_button.click()
    settle(made._home, lambda: "registry.example.org/hpc/found:1" in dict(map(reversed, made.images.list.options)))
    made.images.search.value = "found elsewhere"
    made.images.ask_button.click()
    settle(made._home, lambda: "have 0 images" in made.images.message.value)
    assert site.store.searched == ["found", "found"], "its other words choose among what is found"
    made.images.search.value = "broken"
    made.images.ask_button.click()
    settle(made._home, lambda: "does not answer" in made.images.message.value)


def test_a_click_submits_nothing_before_it_is_confirmed(site, kernels):
    made = ImagePicker({"image": STORED.reference, "nodes": 2}, hub=site)
    made.start_button.click()
    settle(made._home, lambda: made.confirmation.asked)
    assert kernels.made == ()
    for words in ("Submit this as a Slurm job?", "at most 2.50 EUR", "2026-01-02 03:04", "--nodes=2 &lt;x&gt;"):
        assert words in made.confirmation.question.value
    made.confirmation.no.click()
    made.confirmation.yes.click()
    assert kernels.made == ()
    made.start_button.click()
    settle(made._home, lambda: made.confirmation.asked)
    made.confirmation.yes.click()
    made.confirmation.yes.click()
    assert [kernel.request.resources.nodes for kernel in kernels.made] == [2]
    assert made.kernel is kernels.made[0]
    assert "Slurm job 12" in made.jobs.children[0].state.value


def test_what_is_confirmed_is_what_was_shown(site, kernels):
    made = ImagePicker({"image": STORED.reference}, hub=site)
    made.start_button.click()
    made.form.put(nodes=2)  # before the answer is there
    made._home.drain()
    time.sleep(0.2)
    made._home.drain()
    assert not made.confirmation.asked
    made.start_button.click()
    settle(made._home, lambda: made.confirmation.asked)
    made.form.fields["nodes"].control.value = 1
    assert not made.confirmation.asked
    made.confirmation.yes.click()
    assert kernels.made == ()


def test_with_a_problem_nothing_is_asked(site, kernels):
    made = ImagePicker({"image": STORED.reference, "nodes": 5}, hub=site)
    made.start_button.click()
    settle(made._home, lambda: "debug has 2 nodes" in made.message.value)
    assert not made.confirmation.asked
    made.form.fields["time"].control.value = "soon"
    made.start_button.click()
    assert "soon" in made.message.value
    assert not made.confirmation.asked


def test_an_image_that_does_not_exist_is_refused_before_anything_is_asked_with_names_like_it(site, kernels):
    made = ImagePicker({"image": STORED.reference.replace("mpi", "mpii")}, hub=site)
    made.start_button.click()
    settle(made._home, lambda: "there is no such image" in made.message.value)
    assert f"Did you mean: {STORED.reference}" in made.message.value
    assert not made.confirmation.asked
    assert kernels.made == ()


def test_the_users_own_call_needs_no_confirmation(site, kernels):
    made = ImagePicker({"image": STORED.reference}, hub=site)
    kernel = made.start(cwd="/")
    assert (kernel.cwd, kernel.request) == ("/", made.request)
    kernels.refuses = True
    with pytest.raises(PolicyError):
        made.start()
    assert "not &lt;here&gt; (ask)" in made.message.value
    made.request = {"image": "x/y:2", "nodes": 2}
    assert made.request.image.text == "x/y:2"
    assert made.preview().command.startswith("sbatch --nodes=2")


def test_every_job_that_goes_on_keeps_its_button(site, kernels):
    made = ImagePicker({"image": STORED.reference}, hub=site)
    made.start()
    made.start()
    assert [status.view.job for status in made.jobs.children] == ["13", "12"]
    site.tell(replace(site.known["l1"], state="ended"))
    made._home.drain()
    made.start()
    assert [status.view.job for status in made.jobs.children] == ["14", "13"]
    assert len(site.listeners) == 2, "nobody listens for what is not shown"


def test_every_control_has_a_label(site, kernels):
    made = ImagePicker(hub=site)
    made.start()
    labels = [control.description for control in controls(made)]
    assert all(labels)
    assert {"Search images", "Images", "Start …", "Cancel job …", "Show log"} <= set(labels)
