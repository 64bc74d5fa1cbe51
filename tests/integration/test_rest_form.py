"""Whatever the form shows can be planned, kept and started through REST, in a real server on a real Slurm."""

import pytest
from support.rest import BARE, start
from support.waiting import wait_until


def job_of(server, kernel):
    return next(job for job in server.hpcctr("GET", "jobs")[1]["jobs"] if job["kernel_id"] == kernel)


def form_of(server, scheduler="slurm"):
    """The form for a scheduler."""
    known = {each["name"]: each["form"] for each in server.hpcctr("GET", "options")[1]["schedulers"]}
    return known[scheduler]


def shown(field):
    """What a field shows: its choices, its bounds, its examples."""
    bounds = [field[bound] for bound in ("minimum", "maximum") if bound in field]
    return (*field.get("enum", ()), *bounds, *field.get("examples", ()))


def submits(server, request):
    """Start a kernel of a request, see that the scheduler takes its job, and end it."""
    kernel = start(server, "form.ipynb", **request)
    wait_until(lambda: job_of(server, kernel)["job"] or job_of(server, kernel)["error"], f"the job of {request}")
    job = job_of(server, kernel)
    assert job["error"] is None, (request, job["error"])
    server.ask("DELETE", f"kernels/{kernel}")


@pytest.mark.timeout(300)  # for two dozen jobs
def test_every_value_that_the_form_shows_is_planned_kept_and_started(rest_server):
    server = rest_server
    form = form_of(server)
    untouched = {**BARE, **form["defaults"]}
    fields = {name: field for name, field in form["schema"]["properties"].items() if name != "scheduler"}
    started = set()
    for name, field in fields.items():
        for value in shown(field):
            request = untouched | {name: value}
            plan = server.hpcctr("POST", "plan", {"request": request})[1]
            assert plan["command"], (name, value, plan["problems"])
            assert server.hpcctr("POST", "requests", {"request": request})[0] == 201
            if plan["problems"]:  # what goes with other values alone, as many ranks with many nodes
                assert {problem["field"] for problem in plan["problems"]} == {name}, (value, plan["problems"])
            else:
                submits(server, request)
                started.add(name)
    of_free_text = {name for name, field in fields.items() if not shown(field)}
    assert of_free_text <= {"account", "qos"}, "where a site has no list of them"
    assert started == set(fields) - of_free_text, "of each field some value goes with the defaults"


def test_a_limit_of_minutes_starts_a_kernel(rest_server):
    defaults = form_of(rest_server)["defaults"]
    kernel = start(rest_server, "short.ipynb", **BARE | defaults | {"time": "0:20:00"})
    wait_until(lambda: job_of(rest_server, kernel)["state"] == "running", "the kernel")
