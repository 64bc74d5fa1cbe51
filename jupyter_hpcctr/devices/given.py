"""Which devices of a kind a job has, by what its scheduler says in its environment."""

from __future__ import annotations

from collections.abc import Collection, Mapping

# Where schedulers and drivers say it: Slurm's own numbers are the node's (srun(1), "SLURM_STEP_GPUS"); those of the
# drivers count from 0 in each job where the job sees no other devices (gres.conf(5), "CUDA_VISIBLE_DEVICES").
_SAYS = {
    "nvidia.com/gpu": ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"),
    "amd.com/gpu": ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"),
    "intel.com/gpu": ("ZE_AFFINITY_MASK",),
}
_BY_SLURM = ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS")
ALL = "all"


def given(kind: str, there: Collection[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the devices that a job has been given.

    Parameters
    ----------
    kind : str
        ``vendor/class``.
    there : collection of str
        Names of the devices of this kind that the node has.
    environ : mapping
        The job's environment.

    Returns
    -------
    tuple of str
        Those that the environment names; where it names none that is there, ``all`` or each of them.
    """
    for said in _said(kind, environ):
        found = tuple(name for name in said if name in there)
        if found and len(found) == len(said):
            return found
    return (ALL,) if ALL in there else tuple(there)


def _said(kind: str, environ: Mapping[str, str]) -> list[list[str]]:
    """Return the lists of devices that an environment has, the surest first."""
    by_driver = [_words(environ.get(name, "")) for name in _SAYS.get(kind, ())]
    by_name = [words for words in by_driver if any(not word.isdecimal() for word in words)]
    by_slurm = [_words(environ.get(name, "")) for name in _BY_SLURM]
    return [words for words in (*by_name, *by_slurm, *by_driver) if words]


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
