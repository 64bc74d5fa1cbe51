"""Says which MPI a container (or a host) has, as a line of JSON: ``python3 probe.py``.

Keys: ``library`` (what MPI_Get_library_version says, "" without mpi4py), ``error`` (why there is none), ``family``
(``openmpi``, ``mpich`` or ""), ``version``, ``mpiexec`` (the path of a launcher of that family, or of any, "" for
none) and ``mpiexec_family``. MPI is not initialized by it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

_NAMES = {"openmpi": ("mpiexec.openmpi", "mpiexec"), "mpich": ("mpiexec.hydra", "mpiexec.mpich", "mpiexec")}
_VERSION = re.compile(r"(?:v|ersion:?\s*|OpenRTE\) |Library )(\d+(?:\.\d+)+)")


def main() -> None:
    """Print what was found."""
    library, error = mpi_library()
    kind = family(library)
    path, path_kind = launcher(kind)
    found = _VERSION.search(library)
    answer = {"library": library, "error": error, "family": kind, "version": found[1] if found else ""}
    print(json.dumps({**answer, "mpiexec": path, "mpiexec_family": path_kind}))


def mpi_library() -> tuple[str, str]:
    """Return the first line of what the MPI library calls itself, and why there is none."""
    try:
        import mpi4py

        mpi4py.rc.initialize = mpi4py.rc.finalize = False
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        return "", str(error)
    return MPI.Get_library_version().strip("\0 \n").partition("\n")[0], ""


def family(text: str) -> str:
    """Return the family of MPI that a library's or a launcher's version text names."""
    if re.search(r"Open ?MPI|OpenRTE|PRRTE|prterun", text):
        return "openmpi"
    return "mpich" if re.search(r"MPICH|HYDRA|MVAPICH|Intel\(R\) MPI", text, re.IGNORECASE) else ""


def launcher(wanted: str) -> tuple[str, str]:
    """Return an mpiexec of the wanted family, or else any."""
    any_one = ("", "")
    beside = os.path.dirname(sys.executable)
    for name in _NAMES.get(wanted, ("mpiexec", "mpirun")):
        path = shutil.which(name, path=os.pathsep.join((beside, os.environ.get("PATH", os.defpath))))
        if path is None:
            continue
        done = subprocess.run((path, "--version"), capture_output=True, text=True, timeout=20, check=False)
        kind = family(done.stdout + done.stderr)
        if kind == wanted:
            return path, kind
        any_one = (path, kind)
    return any_one


if __name__ == "__main__":
    main()
