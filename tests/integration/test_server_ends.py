"""The end of a real Jupyter server: nothing of its kernels stays."""

import pytest
from support.server import RefusedError

BARE = {"engine": "bare", "scheduler": "slurm"}


@pytest.mark.parametrize("how", ["SIGTERM", "POST"])
def test_the_end_of_the_server_ends_every_job(site, serve, how):
    server = serve()
    for name, refused in {"nowhere": {"partition": "nowhere"}, "unreadable": {"nodes": "many"}}.items():
        with pytest.raises(RefusedError):  # what was refused is no obstacle either
            server.open_notebook("c.ipynb", site.kernelspec(name, **BARE, **refused))
    one = site.kernelspec("one", **BARE, cpus_per_task=4)
    running = server.connect(server.open_notebook("a.ipynb", one)[1]["kernel"]["id"])
    assert running.run("print(1)")[1] == "1\n"
    big = site.kernelspec("big", **BARE, nodes=2, cpus_per_task=4)
    server.connect(server.open_notebook("b.ipynb", big)[1]["kernel"]["id"]).execute("1")
    assert sorted(line.split()[1] for line in site.queue()) == ["PENDING", "RUNNING"]
    if how == "POST":
        server.ask("POST", "shutdown")
        assert server.process.wait(timeout=60) == 0
    else:
        assert server.stop() == 0
    assert site.left_behind() == []
    assert list(site.directory.glob("tmp/*")) == []
