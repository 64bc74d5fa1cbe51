"""The words that start a world's processes: a scheduler's step, or mpiexec(1) without one."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..protocol import words as placeholders
from ..protocol.words import NODE
from .config import Config, filled
from .failure import RankError
from .slots import Placement

SEPARATE = {
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
    "OMPI_MCA_btl_sm_single_copy_mechanism": "none",
    "OMPI_MCA_smsc": "^cma,xpmem,knem",
    "MPIR_CVAR_CH4_CMA_ENABLE": "0",
    "UCX_TLS": "^posix,cma,xpmem,knem",
}
"""For ranks of a node in containers of their own: one may not read another's memory, and MPI hangs that tries."""
YIELD = {"OMPI_MCA_mpi_yield_when_idle": "1"}
"""For more ranks than CPUs: those of Open MPI that wait let others work. MPICH's do so by themselves, now and then."""
_PMI = {"openmpi": "pmix", "mpich": "pmi2"}
_OFF_STEP = ("PMI_*", "PMIX_*", "OMPI_COMM_*")
"""MPI's variables by which an mpiexec would take itself for a part of the job's step, as by the scheduler's own."""


@dataclass(frozen=True)
class Start:
    """How a world is started. ``argv`` and ``env`` are the launcher's; ``spec`` is for the wrappers.

    ``shown`` names the launcher for people; ``by_step`` is whether it is the scheduler.
    """

    argv: list[str]
    env: Mapping[str, str]
    spec: dict[str, Any]
    shown: str
    by_step: bool = False


@dataclass(frozen=True)
class Launcher:
    """What is known of the allocation's ways to start MPI programs; ``found`` is what ``guest/mpirun/probe`` says."""

    config: Config
    found: Mapping[str, str]

    @property
    def by_step(self) -> bool:
        """Whether the scheduler starts ranks."""
        return self.config.plan.steps is not None

    def pmi(self, asked: str | None) -> str:
        """Choose what the step offers to MPI: what was asked for, or what the image's MPI speaks."""
        return asked or _PMI.get(self.found["family"], "pmix")

    def start(
        self,
        world: str,
        program: list[str],
        placement: Placement,
        *,
        pmi: str | None,
        extra: Mapping[str, Any],
        crowded: bool = False,
    ) -> Start:
        """Lay out how a program is started on ranks; ``crowded`` is whether they are more than the CPUs somewhere.

        Raises
        ------
        RankError
            There is nothing that could start it.
        """
        spec: dict[str, Any] = {"world": world, "ranks": placement.ranks, **extra}
        spec |= {name: getattr(self.config, name) for name in ("env", "image_env", "pass_env", "drop_env")}
        if crowded:
            spec["env"] = {name: value for name, value in YIELD.items() if name not in os.environ} | dict(spec["env"])
        if self.by_step:
            return self._step(spec, program, placement, self.pmi(pmi))
        if pmi is not None:
            why = "--pmi is for a scheduler's steps; mpiexec starts the ranks here"
            raise RankError("RanksRefused", why, hint="leave it out")
        return self._mpiexec(spec, program, placement)

    def _outside(self, spec: dict[str, Any], program: list[str]) -> tuple[list[str], dict[str, Any]]:
        """Return the wrapper's words for the host, and its spec: each rank enters the container by itself."""
        config = self.config
        # Without a container it is each node's own directory, which its wrappers know.
        inside = "" if config.dir_inside == config.dir else config.dir_inside
        spec |= {"argv": program, "inside": False, "dir_inside": inside, "cwd": config.workdir}
        if not config.plan.shares:
            spec["env"] = {**SEPARATE, **spec["env"]}
        plan = config.plan
        return self._wrapper(plan.python, plan.enter_script, f"{plan.kernel_dir_host}/{spec['world']}.json"), spec

    def _wrapper(self, python: str, script: str, spec_file: str) -> list[str]:
        before, _, after = spec_file.partition(NODE)
        steps = self.config.plan.steps
        return [python, "-S", "-E", script, before, after, self.config.node, steps.variables.node if steps else ""]

    def _step(self, spec: dict[str, Any], program: list[str], placement: Placement, pmi: str) -> Start:
        wrapper, spec = self._outside(spec, program)
        steps = self.config.plan.steps
        assert steps is not None  # noqa: S101  (by_step)
        spec["rank_variable"] = steps.variables.rank
        values = {
            placeholders.RANKS: placement.ranks,
            placeholders.NODES: len(placement.nodes),
            placeholders.NODELIST: ",".join(node.name for node in placement.nodes),
            placeholders.CPUS: "" if placement.over else os.environ.get(steps.variables.cpus, ""),
            placeholders.PMI: pmi,
            placeholders.OVERCOMMIT: steps.overcommit if placement.over else "",
            placeholders.DIRECTORY: "/",
        }
        words = [*filled(steps.ranks, values), *wrapper]
        offer = [word.replace(placeholders.PMI, pmi) for word in steps.ranks if placeholders.PMI in word]
        return Start(words, dict(os.environ), spec, " ".join((program_of(steps.ranks), *offer)), by_step=True)

    def _mpiexec(self, spec: dict[str, Any], program: list[str], placement: Placement) -> Start:
        config, path = self.config, self.found["mpiexec"]
        if not path:
            raise RankError(
                "NoLauncher",
                "there is no mpiexec to start ranks with",
                hint="install an MPI in the image (openmpi-bin or mpich in Debian), or use a scheduler with steps",
            )
        contained = config.plan.container.kind != "none"
        # A directory of its own: one mpiexec that ends takes away what another one is just making (Open MPI 4).
        scratch = f"{config.dir_inside if contained else config.dir}/{spec['world']}.tmp"
        launch = [path, *mpiexec_options(self.found["mpiexec_family"], self.found["version"], placement, scratch)]
        if not contained:
            wrapper, spec = self._outside(spec, program)
            return Start([*launch, *wrapper], self._off_step(), spec, os.path.basename(path))
        # In the container the launcher and its ranks are in the same namespaces, and of the same MPI.
        spec |= {"argv": program, "inside": True, "dir_inside": config.dir_inside, "cwd": config.workdir}
        plan = config.plan
        wrapper = self._wrapper(plan.guest_python, plan.guest_enter, f"{config.dir_inside}/{spec['world']}.json")
        unset = [f"--unset={name}" for name in os.environ.keys() - self._off_step().keys()]
        words, env = config.entered(["env", *unset, *launch, *wrapper])
        return Start(words, env, spec, f"the image's {os.path.basename(path)}")

    def _off_step(self) -> dict[str, str]:
        """Return this process's environment without what makes an mpiexec a part of the job's step."""
        patterns = (*self.config.plan.job_env, *_OFF_STEP)
        return {n: v for n, v in os.environ.items() if not any(fnmatch.fnmatchcase(n, each) for each in patterns)}


def program_of(words: Sequence[str]) -> str:
    """Return the program that words run, with nothing of an env(1) before it."""
    return next(word for word in words if word != "env" and not word.startswith("-") and "=" not in word)


def mpiexec_options(family: str, version: str, placement: Placement, scratch: str) -> list[str]:
    """Return the words for ranks on this node alone: no ssh, no scheduler, no binding when CPUs are shared."""
    ranks = str(placement.ranks)
    if family == "openmpi":
        words = ["--host", f"localhost:{ranks}", "-n", ranks]
        if version.partition(".")[0] in ("", "1", "2", "3", "4"):  # later ones have no such parts
            alone = {"plm": "isolated", "ras": "^slurm", "orte_tmpdir_base": scratch}
            words = [word for name, value in alone.items() for word in ("--mca", name, value)] + words
        words += ["--bind-to", "none"]
        words += ["--mca", "mpi_yield_when_idle", "1"] if placement.over else []
        return ["--allow-run-as-root", *words] if os.getuid() == 0 else words
    if family == "mpich":
        return ["-launcher", "fork", "-n", ranks]
    return ["-n", ranks]


def program_words(argv: list[str] | None, script: str | None) -> list[str]:
    """Return the words of what ``%mpirun run`` or ``--exec`` wants run.

    A script is run by bash where the image has one, else by sh; its text is a word, so it needs no file
    that every node can see.
    """
    if script is None:
        return list(argv or [])
    shell = 'command -v bash >/dev/null && exec bash -c "$1" mpirun; exec sh -c "$1" mpirun'
    return ["sh", "-c", shell, "mpirun", script]
