"""What a page asks for that was away: the cells of a real kernel, by REST."""

import jsonschema
import pytest
from support.rest import start
from support.server import RefusedError
from support.waiting import wait_until

from jupyter_hpcctr.edge.journal import NAMES
from jupyter_hpcctr.server import document

PRINTS = """
import time, pathlib
for number in range(40):
    print("line", number, flush=True)
    while number == 19 and not pathlib.Path("go-on").exists():
        time.sleep(0.05)
"""


@pytest.fixture
def site(rest_site):
    return rest_site


@pytest.fixture
def server(rest_server):
    return rest_server


def asked(server, kernel, cell=None):
    path = f"kernels/{kernel}/cells" + ("" if cell is None else f"/{cell}")
    answer = server.hpcctr("GET", path)[1]
    name = "/kernels/{kernel}/cells" + ("" if cell is None else "/{cell}")
    content = document.document()["paths"][name]["get"]["responses"]["200"]["content"]
    schema = {**content["application/json"]["schema"], "components": document.document()["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer)
    return answer


def printed(shown):
    return "".join(each.get("text", "") for each in shown["outputs"])


def test_what_a_cell_prints_while_no_page_is_open_is_there_for_the_next(server, rest_site):
    kernel = start(server, scheduler="local")
    page = server.connect(kernel)
    page.execute(PRINTS, cell="c1")
    page.execute("1 / 0", cell="c2")
    page.execute("no cell of a notebook")
    page.close()
    wait_until(lambda: "line 19" in printed_so_far(server, kernel), "the first half")
    first, second = asked(server, kernel)["cells"]
    assert [(each["cell"], each["state"]) for each in (first, second)] == [("c1", "running"), ("c2", "running")]
    (rest_site.cwd / "go-on").touch()
    wait_until(lambda: asked(server, kernel)["cells"][1]["state"] == "ended", "the end of both cells")
    shown = asked(server, kernel, "c1")
    assert printed(shown).splitlines() == [f"line {number}" for number in range(40)]
    assert (shown["state"], shown["status"], shown["execution_count"]) == ("ended", "ok", 1)
    failed = asked(server, kernel, "c2")
    assert (failed["status"], failed["outputs"][0]["ename"]) == ("error", "ZeroDivisionError")
    directory = rest_site.state / "kernels" / kernel
    assert (directory / NAMES[0]).exists()
    server.ask("DELETE", f"kernels/{kernel}")
    wait_until(lambda: not (directory / NAMES[0]).exists(), "its files are removed with the kernel")


def printed_so_far(server, kernel):
    return printed(asked(server, kernel, "c1")) if asked(server, kernel)["cells"] else ""


def test_a_cell_that_waits_for_the_kernel_is_known_too(full, server):
    kernel = start(server)
    page = server.connect(kernel)
    page.execute("print('at last')", cell="c1")
    wait_until(lambda: asked(server, kernel)["cells"], "the request")
    assert asked(server, kernel)["cells"][0]["state"] == "running"
    wait_until(lambda: asked(server, kernel, "c1")["outputs"], "why it waits")
    assert "Slurm" in str(asked(server, kernel, "c1")["outputs"]) or "job" in str(asked(server, kernel, "c1"))
    full()
    wait_until(lambda: asked(server, kernel)["cells"][0]["state"] == "ended", "its end")
    assert printed(asked(server, kernel, "c1")) == "at last\n"


def test_what_is_not_known_is_refused_in_words(server):
    kernel = start(server, scheduler="local")
    for path, words in (("nowhere/cells", "no container kernel"), (f"{kernel}/cells/none", "nothing is known")):
        with pytest.raises(RefusedError) as refused:
            server.hpcctr("GET", f"kernels/{path}")
        assert refused.value.status == 404
        assert words in refused.value.said["message"]
