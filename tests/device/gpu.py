"""Kernels with a real GPU, for gpu.sh: ``gpu.py IMAGE DIRECTORY`` as an ordinary user; prints figures, fails aloud."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from jupyter_client.manager import KernelManager

READY_S = 120
TORCH = os.environ["TORCH"]
SITE = next(Path(sys.prefix).glob("lib/python3*/site-packages"))
PACKAGES = next(Path(TORCH).glob("lib/python3*/site-packages"))
DRIVER = """
import ctypes
cuda = ctypes.CDLL("libcuda.so.1")
version, count, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(100)
assert cuda.cuInit(0) == 0
cuda.cuDriverGetVersion(ctypes.byref(version)); cuda.cuDeviceGetCount(ctypes.byref(count))
cuda.cuDeviceGetName(name, 100, 0)
found = [version.value, count.value, name.value.decode()]
"""
PRODUCT = f"""
import sys, time
sys.path.append({str(PACKAGES)!r})
import torch
n, times = 8192, 20
a, b = (torch.randn(n, n, device="cuda", dtype=torch.bfloat16) for _ in range(2))
for _ in range(5):
    a @ b
torch.cuda.synchronize()
begun = time.perf_counter()
for _ in range(times):
    a @ b
torch.cuda.synchronize()
found = 2 * n**3 * times / (time.perf_counter() - begun) / 1e12
"""
SHOWN = """
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()) as said:
    get_ipython().run_line_magic("hpcctr", "devices")
found = said.getvalue()
"""
LOADED = """
import ctypes
try:
    ctypes.CDLL("libcuda.so.1")
    found = "libcuda is there"
except OSError as error:
    found = str(error)
"""
WHERE = "found = sorted({l.split()[-1] for l in open('/proc/self/maps') if 'libcuda.so' in l})"


def hpcctr(*words):
    """Run this package's command and return what it prints."""
    line = [sys.executable, str(SITE / "bin/jupyter-hpcctr"), *words]
    done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: status {done.returncode}\n{done.stdout}")
    return done.stdout


class Kernel:
    """A kernel of a request, and the seconds until its first cell was done."""

    def __init__(self, name, **request):
        directory = Path.home() / ".local/share/jupyter/kernels" / name
        directory.mkdir(parents=True, exist_ok=True)
        provisioner = {"provisioner_name": "hpcctr", "config": {"request": request}}
        spec = {
            "argv": ["python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": name,
            "language": "python",
            "interrupt_mode": "signal",
            "metadata": {"kernel_provisioner": provisioner},
        }
        (directory / "kernel.json").write_text(json.dumps(spec))
        begun = time.perf_counter()
        self.manager = KernelManager(kernel_name=name)
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=READY_S)
        self.value("found = 1")
        self.first_cell_s = time.perf_counter() - begun

    def value(self, code):
        """Run code and return its ``found``."""
        said = []

        def hear(message):
            content = message["content"]
            if message["msg_type"] == "stream":
                said.append(content["text"])
            elif message["msg_type"] == "error":
                said.append("\n".join(content["traceback"]))

        code += "\nprint('FOUND', __import__('json').dumps(found))"
        self.client.execute_interactive(code, timeout=READY_S, output_hook=hear)
        _, mark, text = "".join(said).rpartition("FOUND ")
        if not mark:
            raise SystemExit(f"{code}\n{''.join(said)}")
        return json.loads(text)

    def restart(self):
        self.manager.restart_kernel()
        self.client.wait_for_ready(timeout=READY_S)

    def end(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel()


def main(image, directory):
    """Start what is needed, use the GPU in each way, and say what it gave."""
    begun = time.perf_counter()
    hpcctr("images", "pull", image)
    print(f"image fetched and flattened in {time.perf_counter() - begun:.0f} s")
    hpcctr("cluster", "up", "--dir", f"{directory}/c", "--nodes", "1", "--cpus", "8", "--gpus", "1")
    os.environ["SLURM_CONF"] = f"{directory}/c/etc/slurm.conf"
    try:
        print(hpcctr("devices", "list"))
        measure(image)
    finally:
        hpcctr("cluster", "down", "--dir", f"{directory}/c")


def measure(image):
    mounts = [f"{Path(TORCH).parent}:{Path(TORCH).parent}"]
    kernel = Kernel("gpu", image=image, gpus_per_node=1, mounts=mounts)
    print(f"kernel with a GPU: first cell after {kernel.first_cell_s:.2f} s")
    print(f"driver API, number of GPUs, name: {kernel.value(DRIVER)}")
    print(f"libcuda of the container: {kernel.value(DRIVER + WHERE)}")
    smi = kernel.value("import subprocess\nfound = subprocess.getoutput('nvidia-smi -L')")
    assert smi.startswith("GPU 0:"), smi
    print(f"nvidia-smi -L: {smi}")
    print(kernel.value(SHOWN))
    contained = max(kernel.value(PRODUCT) for _ in range(3))
    kernel.restart()
    kernel.value(DRIVER)
    print("after a restart the driver is there, too")
    kernel.end()
    bare = Kernel("bare", engine="bare", gpus_per_node=1)
    without = max(bare.value(PRODUCT) for _ in range(3))
    bare.end()
    print(f"8192³ bf16: {contained:.0f} TFLOP/s in the image, {without:.0f} without: {contained / without:.3f} ×")
    print(f"first cell: {kernel.first_cell_s:.2f} s in the image, {bare.first_cell_s:.2f} s without")
    both = [Kernel(f"half{i}", image=image, devices=["nvidia.com/gpu=0"], mounts=mounts) for i in range(2)]
    print(f"two kernels on one GPU: {[round(each.value(PRODUCT)) for each in both]} TFLOP/s, one after the other")
    for each in both:
        each.end()
    none = Kernel("none", image=image)
    print(f"a kernel that asked for no GPU: {none.value(LOADED)}")
    none.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
