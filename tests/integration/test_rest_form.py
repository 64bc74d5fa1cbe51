"""Whatever the form shows can be planned, kept and started through REST, in a real server on a real Slurm."""

from support.rest import BARE, start
from support.waiting import wait_until


def state(server, kernel):
    return next(job["state"] for job in server.hpcctr("GET", "jobs")[1]["jobs"] if job["kernel_id"] == kernel)


def test_every_value_that_the_form_shows_is_planned_and_kept_and_short_limits_start(rest_server):
    server = rest_server
    options = server.hpcctr("GET", "options")[1]
    untouched = {**BARE, **options["defaults"]}
    for name, field in options["schema"]["properties"].items():
        bounds = [field[bound] for bound in ("minimum", "maximum") if bound in field]
        for value in (*field.get("enum", ()), *bounds, *field.get("examples", ())):
            request = untouched | {name: value}
            plan = server.hpcctr("POST", "plan", {"request": request})[1]
            assert plan["command"], (name, value, plan["problems"])  # the site may have less than the scheduler's most
            assert server.hpcctr("POST", "requests", {"request": request})[0] == 201
    kernel = start(server, "defaults.ipynb", **untouched | {"time": "0:20:00"})
    wait_until(lambda: state(server, kernel) == "running", "the kernel")
