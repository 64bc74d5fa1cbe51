"""Many images and many jobs: the lists show them all, and the page goes on answering."""

import json
import re
import time

from .conftest import MANY

JOBS = 100
LOADED = "performance.getEntriesByType('resource').filter(each => each.name.includes('/jupyter-hpcctr/static/'))"
SEEN = """async element => {
  for (let frame = 0; frame < 3; frame++) { await new Promise(requestAnimationFrame); }
  return element.innerText;
}"""
"""What a person sees of an element in the next frame but one: rows that were out of view are drawn only then."""


def job(number):
    """What the REST interface says of a job, as of a user with many of them (no scheduler has seen it)."""
    return {
        "id": f"many{number:03}",
        "kernel_id": f"kernel{number:03}",
        "kernel_name": "hpcctr-0123456789",
        "notebook": f"many-{number}.ipynb",
        "state": "pending" if number % 2 else "running",
        "message": "",
        "reason": "Priority" if number % 2 else "",
        "scheduler": "slurm",
        "engine": "charliecloud",
        "image": f"registry.example.org/group/tool-{number}:1",
        "digest": "sha256:" + "0" * 64,
        "job": str(1000 + number),
        "nodes": "" if number % 2 else f"n{number}",
        "resources": {"nodes": 1},
        "request": {"image": f"registry.example.org/group/tool-{number}:1"},
        "expected_start": None,
        "submitted": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() - 60 * number)),
        "ends": None if number % 2 else time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + 7200)),
        "time_limit_minutes": 120,
        "phases": {},
        "reasons": [],
        "fetch": None,
        "error": None,
        "ending": None,
        "checkpoint": None,
        "seq": number,
    }


def test_the_code_of_the_form_is_there_before_the_form_is_opened(desk):
    idle = desk.page.wait_for_function(f"{LOADED}.length > 3 && performance.now()").json_value()
    desk.command("hpcctr:new")
    desk.picker().get_by_role("option").first.wait_for()
    assert desk.page.evaluate(f"{LOADED}.filter(each => each.startTime > {idle})") == []
    desk.leave()


def test_200_images_and_100_jobs_are_listed_and_the_page_answers(desks):
    desk = desks()
    answer = {"jobs": [job(n) for n in range(JOBS)], "seq": JOBS, "now": job(0)["submitted"]}
    # The answer is made up here: 100 real jobs would take their time to submit.
    desk.page.route(
        re.compile(r"/jupyter-hpcctr/jobs(\?.*)?$"),
        lambda route: route.fulfill(content_type="application/json", body=json.dumps(answer)),
    )
    desk.open()
    rows = desk.panel().get_by_role("listitem")
    rows.nth(JOBS - 1).wait_for()
    assert rows.count() == JOBS
    rows.nth(JOBS - 1).scroll_into_view_if_needed()
    desk.command("hpcctr:new")
    form = desk.picker()
    options = form.get_by_role("listbox", name="Images").get_by_role("option")
    options.nth(MANY - 1).wait_for()
    assert options.count() >= MANY
    form.get_by_label("Search images").fill("Tool 187")
    options.nth(1).wait_for(state="detached")
    assert "Tool 187" in options.first.evaluate(SEEN)
    form.get_by_label("Search images").fill("")
    options.nth(MANY - 1).wait_for()
    desk.leave()
