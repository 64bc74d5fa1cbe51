"""Which of a job's variables the suites' programs get: as at a site whose scheduler sets those of ``bench.JOB_ENV``."""

from __future__ import annotations

from ..core.facts import DROP_ENV, PASS_ENV, Policy

PASSED = (*PASS_ENV, "SLURM_*")
DROPPED = (*DROP_ENV, "SLURM_JWT")
POLICY = Policy(pass_env=PASSED, drop_env=DROPPED)
