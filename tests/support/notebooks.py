"""Cells in a kernel that runs, and what they show."""

import re
import time
from pathlib import Path


class Notebook:
    """A started kernel (``kernels.Running``), used as a notebook's."""

    def __init__(self, running):
        self.running = running

    def cell(self, code, **more):
        """Run a cell that goes well; return what it printed on standard output."""
        content, published = self.running.run(code, **more)
        assert content["status"] == "ok", "\n".join((*content["traceback"], text_of(published, "stdout", "stderr")))
        return text_of(published)

    def ranks(self, code, options="", **more):
        """Run a cell on ranks that goes well; return what it printed."""
        return self.cell(f"%%mpirun {options}\n{code}", **more)

    def said(self, code, options="", **more):
        """Run a cell on ranks that goes well; return the lines of each rank, however they were folded."""
        return by_rank(self.ranks(code, options, **more))

    def fails(self, code, options="", **more):
        """Run a cell on ranks that does not go well; return (its error as shown, all text that it printed)."""
        content, published = self.running.run(f"%%mpirun {options}\n{code}", **more)
        assert content["status"] == "error", text_of(published)
        return told(content), text_of(published, "stdout", "stderr")

    def interrupted(self, code, *, after):
        """Interrupt a cell on ranks when it has printed ``after``; return as ``fails``."""
        client, seen, sent = self.running.client, [], False
        asked = client.execute(f"%%mpirun\n{code}", stop_on_error=False)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            message = client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != asked:
                continue
            seen.append(message)
            if not sent and after in text_of(seen):
                sent = True
                self.running.manager.interrupt_kernel()
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        while (reply := client.get_shell_msg(timeout=60))["parent_header"].get("msg_id") != asked:
            pass
        content = reply["content"]
        assert content["status"] == "error", text_of(seen)
        return told(content), text_of(seen, "stdout", "stderr")


def mpi_environment(mpi, directory):
    """The environment by which mpi4py takes ``openmpi`` or ``mpich``; ``directory`` is for a link that it needs."""
    env = {"MPI4PY_MPIABI": mpi}
    if mpi == "mpich":  # Debian's has another name than the one that MPICH's ABI agrees on
        (library,) = Path("/usr/lib").glob("*/libmpich.so.12")
        (directory / "libmpi.so.12").symlink_to(library)
        env["LD_LIBRARY_PATH"] = str(directory)
    return env


def by_rank(text):
    """Unfold what ranks printed: ``ranks 0–1, 3 │ x`` is {0: ["x"], 1: ["x"], 3: ["x"]}."""
    lines = {}
    for label, said in re.findall(r"^ranks? ([\d–, ]+?) *│ (.*)$", text, re.MULTILINE):
        for part in label.split(", "):
            first, _, last = part.partition("–")
            for rank in range(int(first), int(last or first) + 1):
                lines.setdefault(rank, []).append(said)
    return dict(sorted(lines.items()))


def told(error):
    """What a notebook shows of an error, without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error["traceback"]))


def text_of(published, *names):
    """The text of these streams (standard output alone without names)."""
    names = names or ("stdout",)
    streams = [m["content"] for m in published if m["msg_type"] == "stream"]
    return "".join(content["text"] for content in streams if content["name"] in names)
