"""A program with a kernel, as nbclient and papermill are, that is killed."""

import subprocess
import sys

from .waiting import wait_until

COUNT = "import time\nfor i in range(60):\n    print(i, flush=True)\n    time.sleep(0.1)\n"
"""A cell that goes on for six seconds."""
PROGRAM = """
import sys
from jupyter_client.manager import KernelManager
manager = KernelManager(kernel_name=sys.argv[1])
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=60)
client.execute_interactive("x = 6 * 7", timeout=60, output_hook=lambda message: None)
print("done", flush=True)
sys.stdin.read()
"""


def killed(site, kernelspec="bare", *, env=None):
    """Run one until its kernel knows x and its record says that it runs, and kill it."""
    words = [sys.executable, "-c", PROGRAM, kernelspec]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout.readline() == "done\n"
        wait_until(lambda: any(each["view"]["state"] == "running" for each in site.records()), "its record")
        process.kill()
