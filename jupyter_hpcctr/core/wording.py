"""Names and figures as people read them: the same in the form, in problems, in reasons and in a job's story."""

from __future__ import annotations

from . import grammar

TITLES = {
    "scheduler": "Scheduler",
    "partition": "Partition",
    "nodes": "Nodes",
    "ntasks": "MPI ranks",
    "ntasks_per_node": "MPI ranks per node",
    "cpus_per_task": "CPUs per rank",
    "mem_mb": "Memory per node",
    "gpus_per_node": "GPUs per node",
    "gpu_type": "GPU type",
    "constraint": "InfiniBand",
    "time_minutes": "Time limit",
    "account": "Account",
    "qos": "Quality of service",
}
"""What the form calls its fields, by their names in ``core.request``."""


def title(name: str) -> str:
    """Return what the form calls a field of a request, the field's own name where the form does not have it."""
    return TITLES.get(name, name)


def minutes_text(minutes: int) -> str:
    """Return minutes for people: ``45 min``, ``3 h 20 min``, ``2 d``."""
    hours, rest = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{rest} min" if rest else ""]
    return " ".join(filter(None, parts)) or "0 min"


def duration(minutes: int) -> str:
    """Return minutes as sbatch(1) ``--time`` writes them: ``1:00:00`` or ``2-00:00:00``, many days as minutes."""
    hours, rest = divmod(minutes, 60)
    days, short = divmod(hours, 24)
    if days > grammar.MOST_DAYS:
        return str(minutes)
    return f"{days}-{short:02}:{rest:02}:00" if days else f"{hours}:{rest:02}:00"


def memory(mib: int) -> str:
    """Return MiB as sbatch(1) ``--mem`` writes them: ``4G`` where that is exact, else ``4000M``."""
    return f"{mib // 1024}G" if mib % 1024 == 0 and mib // 1024 <= grammar.MOST_GB else f"{mib}M"


def ending_text(ending: str) -> str:
    """Return how a job ended, from Slurm's word for it, as part of a sentence; "" for an ordinary end."""
    return _ENDINGS.get(ending, ending.lower().replace("_", " "))


_ENDINGS = {
    "COMPLETED": "",
    "FAILED": "with an error",
    "TIMEOUT": "time limit reached",
    "NODE_FAIL": "its node failed",
}
