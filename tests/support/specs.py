"""Small libraries and programs, compiled for tests, and the specs that vendors' tools write."""

import functools
import json
import subprocess
import tempfile
from pathlib import Path


def library(path, *, soname="", body="int f(void) { return 0; }", flags=()):
    """Compile a shared library; its directory is made."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    named = [f"-Wl,-soname,{soname}"] if soname else []
    path.write_bytes(_compiled(body, ("-shared", "-fPIC", *named, *flags)))
    return path


def program(path):
    """Compile a program that ends at once."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_compiled("int main(void) { return 0; }", ()))
    path.chmod(0o755)
    return path


@functools.cache
def _compiled(body, flags):
    with tempfile.TemporaryDirectory() as directory:
        made = Path(directory) / "made"
        # What the body is linked with comes after it.
        words = ["gcc", "-x", "c", "-", "-x", "none", *flags, "-o", str(made)]
        subprocess.run(words, input=body, text=True, check=True, timeout=120)
        return made.read_bytes()


def a_spec(devices=None, *, version="0.5.0", kind="example.org/device", **edits):
    """Return a spec's values: one device with one device file, unless others are given."""
    devices = devices or [{"name": "one", "containerEdits": {"deviceNodes": [{"path": "/dev/null"}]}}]
    return {"cdiVersion": version, "kind": kind, "devices": devices, "containerEdits": edits}


def as_text(spec):
    return json.dumps(spec, indent=2)


# CDI specification 1.1.0: the example that comes with its schema.
EXAMPLE = {
    "cdiVersion": "0.6.0",
    "kind": "vendor.com/device",
    "devices": [
        {
            "name": "myDevice",
            "containerEdits": {
                "deviceNodes": [{"hostPath": "/vendorroot/dev/card1", "path": "/dev/card1"}, {"path": "/dev/card2"}]
            },
        }
    ],
    "containerEdits": {
        "env": ["FOO=CDI_SPEC", "BAR=BARVALUE1"],
        "deviceNodes": [{"path": "/dev/vendorctl", "uid": 1000, "gid": 1000}],
        "mounts": [
            {"hostPath": "/bin/vendorBin", "containerPath": "/bin/vendorBin"},
            {"hostPath": "/usr/lib/libVendor.so.0", "containerPath": "/usr/lib/libVendor.so.0"},
        ],
        "hooks": [
            {"hookName": "createContainer", "path": "/bin/vendor-hook"},
            {"hookName": "startContainer", "path": "/usr/bin/ldconfig"},
        ],
    },
}

# As nvidia-ctk 1.20 writes them for two GPUs.
NVIDIA = """\
---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
    - name: "0"
      containerEdits:
        deviceNodes:
            - path: /dev/nvidia0
    - name: "1"
      containerEdits:
        deviceNodes:
            - path: /dev/nvidia1
    - name: all
      containerEdits:
        deviceNodes:
            - path: /dev/nvidia0
            - path: /dev/nvidia1
containerEdits:
    env:
        - NVIDIA_CTK_LIBCUDA_DIR=/lib/x86_64-linux-gnu
        - NVIDIA_VISIBLE_DEVICES=void
    deviceNodes:
        - path: /dev/nvidiactl
    hooks:
        - hookName: createContainer
          path: /usr/bin/nvidia-cdi-hook
          args:
            - nvidia-cdi-hook
            - create-symlinks
            - --link
            - libcuda.so.1::/lib/x86_64-linux-gnu/libcuda.so
          env:
            - NVIDIA_CTK_DEBUG=false
        - hookName: createContainer
          path: /usr/bin/nvidia-cdi-hook
          args:
            - nvidia-cdi-hook
            - enable-cuda-compat
            - --host-driver-version=999.88.77
          env:
            - NVIDIA_CTK_DEBUG=false
        - hookName: createContainer
          path: /usr/bin/nvidia-cdi-hook
          args:
            - nvidia-cdi-hook
            - update-ldcache
            - --folder
            - /lib/x86_64-linux-gnu
          env:
            - NVIDIA_CTK_DEBUG=false
        - hookName: createContainer
          path: /usr/bin/nvidia-cdi-hook
          args:
            - nvidia-cdi-hook
            - disable-device-node-modification
          env:
            - NVIDIA_CTK_DEBUG=false
    mounts:
        - hostPath: /lib/x86_64-linux-gnu/libcuda.so.999.88.77
          containerPath: /lib/x86_64-linux-gnu/libcuda.so.999.88.77
          options:
            - ro
            - nosuid
            - nodev
            - rbind
            - rprivate
"""

# As amd-ctk 1.3 writes them.
AMD = {
    "cdiVersion": "0.6.0",
    "kind": "amd.com/gpu",
    "devices": [
        {
            "name": name,
            "containerEdits": {
                "deviceNodes": [
                    {"path": path, "type": "c", "permissions": "rw", "major": 226, "minor": 128, "fileMode": 432}
                    for path in paths
                ]
            },
        }
        for name, paths in (("0", ["/dev/dri/renderD128"]), ("all", ["/dev/dri/renderD128", "/dev/dri/renderD129"]))
    ],
    "containerEdits": {"deviceNodes": [{"path": "/dev/kfd", "hostPath": "/dev/kfd", "permissions": "rw"}]},
}

# As CSCS describes Slingshot's network.
SLINGSHOT = """\
cdiVersion: 0.7.0
kind: hpe.com/cxi
annotations:
  org.example.network: slingshot
devices:
- name: all
  containerEdits:
    deviceNodes:
    - path: /dev/cxi0
    - path: /dev/cxi1
containerEdits:
  additionalGids: [0, 44]
  env:
  - FI_CXI_DISABLE_HOST_REGISTER=1
  mounts:
  - hostPath: /usr/lib64/libcxi.so.1.5.0
    containerPath: /usr/lib64/libcxi.so.1
    options: [ro, bind]
  - hostPath: /etc/libibverbs.d
    containerPath: /etc/libibverbs.d
    options: [ro, bind]
"""
