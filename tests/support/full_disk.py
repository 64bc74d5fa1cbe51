"""A program for a mount namespace of its own: a real kernel whose state directory is a small file system, full."""

import json
import subprocess
import sys
from pathlib import Path

from jupyter_hpcctr import compose
from support.kernels import Running, Site, processes_with
from support.waiting import wait_until

FLOOD = """
import os
line = b"x" * 99 + b"\\n"
for _ in range(20_000):
    os.write(2, line)
os.system("seq 100000")
print("the cell's end")
"""


def fill(path):
    """Write until there is no room; return in what words the system said so."""
    try:
        with path.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
    except OSError as error:
        return error.strerror


def printed(kernel, code):
    content, published = kernel.run(code)
    assert content["status"] == "ok", content
    return "".join(m["content"].get("text", "") for m in published)


def left_behind(site):
    files = [*site.directory.glob("tmp/hpcctr-*"), *site.state.glob("jobs/*")]
    return [*map(str, files), *(line for line in processes_with(str(site.directory)) if "full_disk" not in line)]


def main(directory):
    site = Site(Path(directory), {})
    site.configure()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "none", site.state], check=True)
    with site.entered():
        env = {"IPYTHONDIR": str(site.state / "ipython")}  # as where all is in a home that is full
        kernel = Running(site.manager(engine="bare", scheduler="local", env=env), cwd=site.cwd)
        kernel.run("import os; os.system('seq 10000')")
        log = Path(kernel.launch.plan.log_file)
        wait_until(lambda: log.read_text().endswith("10000\n"), "a log with something in it")
        found = {"why": fill(site.state / "other")}
        runs = [printed(kernel, FLOOD) for _ in range(2)]
        wait_until(lambda: runs.append(printed(kernel, "print(1)")) or "log cannot" in str(runs), "that it is said")
        found["printed"] = runs
        wait_until(lambda: log.read_text().endswith("100000\n"), "the newest in the log")
        found["log"] = log.read_text()
        (site.state / "other").unlink()
        kernel.run("import os; os.system('echo there is room again')")
        kernel.manager.restart_kernel()
        kernel.client.wait_for_ready(timeout=60)
        found["value"] = kernel.value("1 + 1")
        wait_until(lambda: "there is room again\n" in log.read_text(), "what is printed when there is room")
        found["log after"] = log.read_text()
        kernel.stop()
        compose.close_all()
        wait_until(lambda: not left_behind(site), "what is left behind")
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
