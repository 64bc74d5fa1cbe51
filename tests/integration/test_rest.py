"""The REST interface and its events, in a real server on a real Slurm."""

import datetime
import json
import re
import urllib.request
from pathlib import Path

import pytest
from support.events import Events
from support.rest import BARE, CATALOGUE, NO_REGISTRY, keep, start
from support.server import RefusedError
from support.small_images import make, plain
from support.waiting import wait_until

from jupyter_hpcctr.core.facts import Policy
from jupyter_hpcctr.core.request import ImageRef
from jupyter_hpcctr.images.store import SquashStore
from jupyter_hpcctr.server.offers import REFRESH_S

__all__ = ["make"]  # a fixture

FAILING = ["sh", "-c", "echo the reason why; exit 3", "{connection_file}"]


@pytest.fixture
def site(rest_site):
    return rest_site


@pytest.fixture
def server(rest_server):
    return rest_server


def jobs(server):
    """The listed jobs by their kernel."""
    return {job["kernel_id"]: job for job in server.hpcctr("GET", "jobs")[1]["jobs"]}


def refused(server, method, path, body=None):
    """What a refusal says; with its status."""
    with pytest.raises(RefusedError) as error:
        server.hpcctr(method, path, body)
    return {"status": error.value.status, **error.value.said}


def test_options_have_the_site_and_its_form(server):
    options = server.hpcctr("GET", "options")[1]
    slurm, local = options["schedulers"]
    assert (slurm["name"], slurm["is_default"], slurm["problem"], local["name"]) == ("slurm", True, None, "local")
    (debug,) = slurm["partitions"]
    assert (debug["nodes_total"], debug["gpus"][0]["per_node"]) == (2, 2)
    form = slurm["form"]["schema"]["properties"]
    assert (form["partition"]["enum"], form["nodes"]["maximum"], form["gpus_per_node"]["maximum"]) == (["debug"], 2, 2)
    assert re.fullmatch(r"\d of 2 nodes idle", form["partition"]["description"])
    assert "constraint" not in form
    assert slurm["form"]["defaults"]["partition"] == "debug"
    assert (options["changed"], options["imageless"]) == (None, ["bare"])
    assert options["limits"]["max_nodes"] == 2, "from the server's own configuration"


def test_options_are_sent_once_to_a_page_that_has_them(server):
    url = f"{server.url}/jupyter-hpcctr/options"
    headers = {"Authorization": f"token {server.token}"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        tag = answer.headers["ETag"]
    with pytest.raises(urllib.error.HTTPError) as unchanged:
        urllib.request.urlopen(urllib.request.Request(url, headers=headers | {"If-None-Match": tag}))
    assert unchanged.value.code == 304
    unchanged.value.close()


def test_a_refresh_has_figures_of_the_last_seconds(server):
    server.hpcctr("GET", "options")
    assert server.hpcctr("GET", "options?refresh=1")[1]["age_s"] <= REFRESH_S + 1


def test_a_name_is_asked_for_at_its_registry(server, registry, make):
    known = make(plain)
    found = server.hpcctr("GET", f"images/check?reference={known}")[1]
    assert (found["found"], found["near"], found["size_bytes"] > 0) == (True, [], True)
    wrong = server.hpcctr("GET", f"images/check?reference={known}x")[1]
    assert (wrong["found"], wrong["near"]) == (False, [known])
    assert "there is no such image" in wrong["message"]
    assert refused(server, "GET", "images/check?reference=../x")["field"] == "image"


def test_images_are_the_catalogue_with_what_is_known_of_them(server):
    images = server.hpcctr("GET", "images")[1]["images"]
    assert [image["reference"] for image in images] == [each["reference"] for each in CATALOGUE]
    assert (images[0]["title"], images[0]["on_cluster"], images[0]["sources"]) == ("Solver", False, ["catalogue"])
    found = server.hpcctr("GET", "images?search=FLOWS%20solver")[1]
    assert [image["title"] for image in found["images"]] == ["Solver"]
    assert [problem["registry"] for problem in found["problems"]] == [NO_REGISTRY]
    assert refused(server, "GET", "images?search=" + "x" * 300)["field"] == "search"


def test_an_image_that_was_asked_for_is_recent(server):
    mine, mispelt = ({"request": {"image": f"registry.example.org/lab/{name}:1"}} for name in ("mine", "mispelt"))
    server.hpcctr("POST", "requests", {**mine, "saved": True})
    server.hpcctr("POST", "requests", mispelt)
    images = {image["reference"]: image for image in server.hpcctr("GET", "images")[1]["images"]}
    assert images["registry.example.org/lab/mine:1"]["sources"] == ["recent"]
    assert "registry.example.org/lab/mispelt:1" not in images, "nobody knows whether there is such an image"


def test_a_fetch_tells_how_it_ends(server, site):
    reference = f"oci:{site.directory}/no-layout:x"
    with Events(server) as events:
        assert server.hpcctr("POST", "images", {"reference": reference})[0] == 202
        failed = events.until("pull", lambda said: said["state"] != "running")
    assert (failed["reference"], failed["state"]) == (reference, "failed")
    assert failed["message"]


def test_a_fetched_image_is_on_the_cluster(server, site, make):
    reference = make(plain)
    with Events(server) as events:
        assert server.hpcctr("POST", "images", {"reference": reference}) == (202, {"reference": reference})
        done = events.until("pull", lambda said: said["state"] != "running")
    assert {name: done[name] for name in ("reference", "state", "message")} == {
        "reference": reference,
        "state": "done",
        "message": "",
    }
    first = server.hpcctr("GET", "images")[1]["images"][0]
    assert (first["reference"], first["on_cluster"], first["sources"]) == (reference, True, ["store"])
    assert (first["kernels"], first["digest"][:7], first["size_bytes"] > 0) == (["ipykernel 7.4.0"], "sha256:", True)
    plan = server.hpcctr("POST", "plan", {"request": {"image": reference, "time": "10:00"}})[1]
    assert (plan["image_on_cluster"], plan["problems"]) == (True, [])
    SquashStore(Policy(store=site.settings["store"])).remove(ImageRef(reference))
    assert reference not in json.dumps(server.hpcctr("GET", "images")[1])


def test_an_image_that_the_site_does_not_allow_is_not_fetched(server):
    said = refused(server, "POST", "images", {"reference": "elsewhere.example.org/x:1"})
    assert (said["status"], said["stage"]) == (403, "resolve")
    assert refused(server, "POST", "images", {"reference": "../../etc"})["status"] == 400


def test_a_plan_says_what_would_be_submitted_and_submits_nothing(server, site):
    request = BARE | {"nodes": 2, "time": "10:00", "mem": "1G"}
    plan = server.hpcctr("POST", "plan", {"request": request})[1]
    assert "sbatch" in plan["command"]
    assert "--nodes=2" in plan["command"]
    assert plan["problems"] == []
    assert plan["request"] == BARE | {"nodes": 2, "time": "0:10:00", "mem": "1G"}
    assert datetime.datetime.fromisoformat(plan["expected_start"]).tzinfo is not None
    assert plan["expected_start_source"] == "slurm"
    assert plan["cost"]["hours"] == pytest.approx(1 / 6)
    assert not [line for line in site.queue() if "jupyter" in line]


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"time": "soon"}, "time"), ({"nodes": -1}, "nodes"), ({"partition": "nowhere"}, "partition"), ({"x": 1}, "x"),
     ({"cpus_per_task": 99}, "cpus_per_task"), ({"engine": "none"}, "engine")],
)  # fmt: skip
def test_a_plan_that_cannot_be_says_which_field_is_at_fault(server, asked, field):
    plan = server.hpcctr("POST", "plan", {"request": BARE | asked})[1]
    assert field in [problem["field"] for problem in plan["problems"]]


def test_a_request_from_elsewhere_is_fitted_to_this_site(server):
    foreign = BARE | {"partition": "nowhere", "cpus_per_task": 99, "time": "10:00"}
    plan = server.hpcctr("POST", "plan", {"request": foreign, "adapt": True})[1]
    assert plan["problems"] == []
    assert "partition" not in plan["request"]
    assert plan["request"]["cpus_per_task"] <= 4
    assert len(plan["reasons"]) >= 2


def test_a_request_is_kept_once_and_stays_saved(server, site):
    request = BARE | {"time": "10:00"}
    status, first = server.hpcctr("POST", "requests", {"request": request})
    assert (status, first["saved"]) == (201, False)
    again = server.hpcctr("POST", "requests", {"request": request, "display_name": "Mine", "saved": True})[1]
    third = server.hpcctr("POST", "requests", {"request": request})[1]
    assert {first["name"], again["name"], third["name"]} == {first["name"]}
    assert (third["saved"], third["display_name"]) == (True, "Mine")
    (kept,) = server.hpcctr("GET", "requests")[1]["requests"]
    assert kept == third
    assert (site.data / "kernels" / kept["name"] / "kernel.json").exists()
    assert server.hpcctr("DELETE", f"requests/{kept['name']}")[0] == 204
    assert refused(server, "DELETE", f"requests/{kept['name']}")["status"] == 404


@pytest.mark.parametrize("name", ["python3", "..", "%2e%2e", "..%2fkernels", "x%2f..%2fpython3", "%00"])
def test_what_is_no_kernelspec_of_ours_is_not_removed(server, site, name):
    assert refused(server, "DELETE", f"requests/{name}")["status"] == 404
    assert site.data.is_dir()


@pytest.mark.parametrize(
    ("request_", "status", "field"),
    [
        ({"time": "soon"}, 400, "time"),
        ({"color": "red"}, 400, "color"),
        ({"mounts": ["relative"]}, 400, "mounts"),
        ({"engine": "none"}, 403, "engine"),
        ({"image": "elsewhere.example.org/x:1", "engine": "charliecloud"}, 403, "image"),
    ],
)
def test_a_refused_request_is_told_with_its_field(server, request_, status, field):
    said = refused(server, "POST", "requests", {"request": BARE | request_})
    assert (said["status"], said["field"]) == (status, field)
    assert said["message"]


def test_a_body_has_an_end(server):
    body = {"request": BARE | {"env": {"A": "x" * 70_000}}}
    assert refused(server, "POST", "plan", body)["status"] == 413


def test_a_kernel_is_started_by_name_and_followed_to_its_end(full, server):
    with Events(server) as events:
        kernel = start(server, "sub.ipynb", time="10:00")
        pending = events.job(lambda job: job["state"] == "pending" and job["reason"])
        assert pending["reason"] == "Resources"
        placed = events.job(lambda job: job["notebook"])
        assert (placed["notebook"], placed["kernel_name"]) == ("sub.ipynb", keep(server, time="10:00"))
        listed = jobs(server)[kernel]
        assert listed == server.hpcctr("GET", f"jobs/{listed['id']}")[1]
        assert (listed["state"], listed["notebook"], listed["request"]["time"]) == ("pending", "sub.ipynb", "0:10:00")
        full()
        running = events.job(lambda job: job["state"] == "running" and job["ends"])
        ends = datetime.datetime.fromisoformat(running["ends"])
        assert (
            datetime.timedelta(minutes=8) < ends - datetime.datetime.now().astimezone() < datetime.timedelta(minutes=11)
        )
        assert server.hpcctr("DELETE", f"jobs/{running['id']}")[0] == 202
        ended = events.job(lambda job: job["state"] == "ended")
        assert (ended["ending"], "cancelled by you" in ended["message"]) == ("CANCELLED", True)
        assert kernel in server.kernels(), "the notebook stays"
        assert server.hpcctr("DELETE", f"jobs/{running['id']}")[0] == 204
        assert events.job(lambda job: job["state"] == "gone")["id"] == running["id"]
    seqs = [said["seq"] for said in events.seen]
    assert seqs == sorted(seqs)
    assert jobs(server) == {}
    assert refused(server, "GET", f"jobs/{running['id']}")["status"] == 404


def test_a_pending_job_is_cancelled_at_once(full, server, site):
    with Events(server) as events:
        kernel = start(server)
        pending = events.job(lambda job: job["state"] == "pending")
        server.hpcctr("DELETE", f"jobs/{pending['id']}")
        assert events.job(lambda job: job["state"] == "ended")["kernel_id"] == kernel
    assert not [line for line in site.queue() if "jupyter" in line]


def test_the_log_of_a_failed_start_is_there_even_when_its_kernel_is_not(server):
    with Events(server) as events:
        kernel = start(server, argv=FAILING)
        ended = events.job(lambda job: job["state"] == "ended")
        log = server.hpcctr("GET", f"jobs/{ended['id']}/log")[1]
        assert "the reason why" in log["text"]
        assert (log["ended"], log["next_offset"] >= len(log["text"])) == (True, True)
        server.ask("DELETE", f"kernels/{kernel}")
    assert jobs(server)[kernel]["state"] == "ended"
    assert server.hpcctr("GET", f"jobs/{ended['id']}/log")[1] == log
    assert refused(server, "GET", f"jobs/{ended['id']}/log?offset=-1")["field"] == "offset"


def test_a_kernel_that_is_shut_down_leaves_the_list(server):
    with Events(server) as events:
        kernel = start(server)
        running = events.job(lambda job: job["state"] == "running")
        server.ask("DELETE", f"kernels/{kernel}")
        assert events.job(lambda job: job["state"] == "gone")["id"] == running["id"]
    assert jobs(server) == {}


def test_no_event_and_no_list_has_an_environment_variable(full, server):
    with Events(server) as events:
        start(server, env={"API_KEY": "very-secret"})
        events.job(lambda job: job["notebook"])
    assert "very-secret" not in json.dumps(events.seen) + json.dumps(server.hpcctr("GET", "jobs"))


def test_old_requests_of_single_starts_are_collected_when_a_server_starts(site, serve):
    old, saved = site.kernelspec("hpcctr-old"), site.kernelspec("hpcctr-saved")
    for name in (old, saved):
        path = Path(site.data, "kernels", name, "kernel.json")
        spec = json.loads(path.read_text())
        spec["metadata"]["hpcctr"] = {"saved": name == saved, "created": 1}
        path.write_text(json.dumps(spec))
    server = serve()

    def names():
        return {kept["name"] for kept in server.hpcctr("GET", "requests")[1]["requests"]}

    wait_until(lambda: old not in names(), "the removal of the old one")
    assert saved in names()
    server.hpcctr("DELETE", f"requests/{saved}")
