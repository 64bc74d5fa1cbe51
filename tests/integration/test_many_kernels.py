"""Two hundred kernels that wait in one server: what each costs it, and that the limit on open files is no bar."""

from pathlib import Path

import pytest
from support.server import Server

KERNELS, OPEN, EACH, JUPYTERS = 200, 4096, 9, 4
"""Of the descriptors of a kernel that waits, the last are those of the client that jupyter_server has for each."""


class Limited(Server):
    """A server that may open as many files as a shell's users often may."""

    def before(self, site):
        return ("prlimit", f"--nofile={OPEN}:{OPEN}")


@pytest.fixture
def server(site):
    site.kernelspec("mine", engine="bare", scheduler="slurm", nodes=2)
    made = Limited(site)
    yield made
    made.kill()
    print(made.log)


def cost(server):
    """Open files, threads, and KiB of memory of a server."""
    process = Path(f"/proc/{server.process.pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    files = len(list((process / "fd").iterdir()))
    return files, int(status["Threads"]), int(status["VmRSS"].split()[0])


def start(server, count):
    return [server.ask("POST", "kernels", {"name": "mine"})[1]["id"] for _ in range(count)]


@pytest.mark.timeout(600)  # for as long as a busy machine needs
def test_two_hundred_kernels_wait_in_one_server(full, server):
    kernels = start(server, 20)
    files, threads, memory = cost(server)
    kernels += start(server, KERNELS - 20)
    more = [now - then for now, then in zip(cost(server), (files, threads, memory), strict=True)]
    each_files, each_memory = more[0] / (KERNELS - 20), more[2] / (KERNELS - 20)
    print(f"a kernel that waits: {each_files:.1f} descriptors, {each_memory:.0f} KiB, no thread of {threads + more[1]}")
    assert round(each_files) <= EACH + JUPYTERS
    assert more[1] <= 2, "threads of all, not of each"
    assert each_memory < 2000
    assert sorted(server.kernels()) == sorted(kernels)
