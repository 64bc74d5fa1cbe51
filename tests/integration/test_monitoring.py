"""What an administrator sees of kernels: figures on the server's /metrics, lines in its log."""

import contextlib
import json
import re
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.server import RefusedError
from support.waiting import wait_until

from jupyter_hpcctr.server import metrics

DOCS = Path(__file__).resolve().parents[2] / "docs/monitoring.md"
MINE = {"engine": "bare", "scheduler": "slurm"}
SECRET = "s3cret-of-the-user"
LINE = re.compile(
    r"^\[[IWE] [^]]* jupyter_hpcctr\.launch\.recorder\] (?P<text>.*?)(?P<about>( \w+=\S+)+)$", re.MULTILINE
)


def scraped(server):
    """The server's figures of ours: value by name and labels; and their families."""
    request = urllib.request.Request(f"{server.url}/metrics", headers={"Authorization": f"token {server.token}"})
    with urllib.request.urlopen(request) as answer:
        text = answer.read().decode()
    assert SECRET not in text
    families = [each for each in text_string_to_metric_families(text) if each.name.startswith("hpcctr_")]
    samples = [sample for each in families for sample in each.samples]
    return {(s.name, *(s.labels[name] for name in sorted(s.labels))): s.value for s in samples}, families



@pytest.fixture
def server(site, serve):
    site.kernelspec("mine", **MINE, env={"PASSWORD": SECRET})
    site.kernelspec("nowhere", **MINE, partition="nowhere")
    site.kernelspec("unreadable", **MINE, nodes="many")
    site.kernelspec("ending", **MINE, argv=["sh", "-c", "exit 3", "{connection_file}"])
    return serve()


def test_the_figures_are_those_of_the_kernels_that_started_and_failed(server):
    assert scraped(server)[0]["hpcctr_kernels", "running"] == 0
    pages = [server.connect(server.open_notebook(f"{n}.ipynb", "mine")[1]["kernel"]["id"]) for n in range(2)]
    for page in pages:
        assert page.run("print(1)")[1] == "1\n"
    server.ask("POST", f"kernels/{pages[0].kernel_id}/restart")
    assert pages[0].run("print(2)")[1] == "2\n"
    for name in ("nowhere", "unreadable", "nowhere"):
        with pytest.raises(RefusedError):
            server.open_notebook("c.ipynb", name)
    ending = server.connect(server.open_notebook("d.ipynb", "ending")[1]["kernel"]["id"])
    assert ending.answer(ending.execute("1"))["ename"] == "JobEnded"
    server.ask("DELETE", f"kernels/{pages[1].kernel_id}")
    found, families = scraped(server)

    assert found["hpcctr_starts_total", "new"] == 6
    failures = {labels[1]: value for labels, value in found.items() if labels[0] == "hpcctr_failures_total"}
    assert failures == {"scheduler": 2, "request": 1, "launch": 1}
    assert found["hpcctr_start_seconds_count", "bare", "slurm"] == 2
    whole = found["hpcctr_start_seconds_sum", "bare", "slurm"]
    phases = {labels[1]: value for labels, value in found.items() if labels[0] == "hpcctr_phase_seconds_sum"}
    assert {"submitted", "queued", "node up", "kernel ready", "restarted"} <= set(phases)
    assert sum(phases.values()) - phases["restarted"] == pytest.approx(whole)
    assert (found["hpcctr_kernels", "running"], found["hpcctr_kernels", "ended"]) == (1, 1)
    assert found["hpcctr_link_messages_total", "sent"] > 0 < found["hpcctr_link_messages_total", "received"]
    assert (found["hpcctr_link_lost_messages_total",], found["hpcctr_link_kept_bytes",]) == (0, 0)
    assert found["hpcctr_command_seconds_count", "sbatch", "ok"] == 3
    assert found["hpcctr_command_seconds_count", "sbatch", "failed"] == 2
    assert found["hpcctr_command_seconds_count", "squeue", "ok"] > 0

    documented = DOCS.read_text()
    for family in families:
        name = family.name + ("_total" if family.type == "counter" else "")
        assert re.search(rf"^\| `{name}` \| {family.type} \|", documented, re.MULTILINE), name
        for label in {label for sample in family.samples for label in sample.labels} - {"le"}:
            assert re.search(rf"^\| `{name}` \|[^\n]*`{label}`", documented, re.MULTILINE), (name, label)
    for state in metrics.STATES:
        assert ("hpcctr_kernels", state) in found


def lines(server):
    """(text, what it is about) of each line that the server has written of launches."""
    return [
        (line["text"], dict(pair.split("=", 1) for pair in line["about"].split())) for line in LINE.finditer(server.log)
    ]


def test_the_log_tells_each_stage_of_a_kernel_with_its_id_and_no_secret(server):
    page = server.connect(server.open_notebook("a.ipynb", "mine")[1]["kernel"]["id"])
    page.run("print(1)")
    with pytest.raises(RefusedError):
        server.open_notebook("b.ipynb", "nowhere")
    server.ask("DELETE", f"kernels/{page.kernel_id}")
    wait_until(lambda: any(about["stage"] == "gone" for _, about in lines(server)), "the last line")
    mine = [about for _, about in lines(server) if about["kernel"] == page.kernel_id]
    stages = [about["stage"] for about in mine]
    assert stages[0] == "pending" and stages[-2:] == ["running", "gone"]
    assert {about["job"] for about in mine if about["stage"] == "running"}.pop().isdecimal()
    (refused,) = [(text, about) for text, about in lines(server) if about["stage"] == "scheduler"]
    assert "Slurm refused the job" in refused[0]
    assert refused[1]["kernel"] != page.kernel_id
    assert SECRET not in server.log


def test_the_log_can_be_json(site, serve):
    site.configure(log_format="json")
    site.kernelspec("mine", engine="bare", scheduler="local")
    server = serve()
    kernel = server.open_notebook("a.ipynb", "mine")[1]["kernel"]["id"]
    server.connect(kernel).run("1")
    server.ask("DELETE", f"kernels/{kernel}")
    found = []
    for line in server.log.splitlines():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    assert {"running", "gone"} <= {each["stage"] for each in found if each.get("kernel") == kernel}
