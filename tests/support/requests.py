"""Requests that Hypothesis makes up: every one that there can be."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from jupyter_hpcctr.core import grammar
from jupyter_hpcctr.core.request import KernelRequest, Resources
from jupyter_hpcctr.protocol.container import Mount

settings.register_profile(
    "grammar", deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
GRAMMAR = settings.get_profile("grammar")


def whole(pattern):
    return st.from_regex(pattern, fullmatch=True)


def optional(strategy):
    return st.none() | strategy


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n"))
WORDS = whole(grammar.WORD)
COUNTS = st.integers(1, grammar.MOST_COUNT)
PATHS = whole(grammar.PATH)
REQUESTS = st.builds(
    KernelRequest,
    image=st.none(),
    engine=optional(WORDS),
    scheduler=optional(WORDS),
    resources=st.builds(
        Resources,
        nodes=COUNTS,
        ntasks=optional(COUNTS),
        ntasks_per_node=optional(COUNTS),
        cpus_per_task=optional(COUNTS),
        mem_mb=optional(st.integers(1, grammar.MOST_MB)),
        gpus_per_node=st.integers(0, 999_999),
        gpu_type=optional(WORDS),
        time_minutes=optional(st.integers(1, grammar.MOST_MINUTES)),
        partition=optional(WORDS),
        account=optional(WORDS),
        qos=optional(WORDS),
        constraint=optional(WORDS),
        reservation=optional(WORDS),
    ),
    mounts=st.lists(st.builds(Mount, PATHS, PATHS, st.booleans()), max_size=3).map(tuple),
    devices=st.lists(whole(grammar.DEVICE), max_size=2).map(tuple),
    env=st.dictionaries(whole(grammar.VARIABLE), LINES, max_size=3),
    annotations=st.dictionaries(whole(grammar.ANNOTATION), LINES, max_size=3),
    workdir=optional(PATHS),
    argv=st.lists(TEXTS, max_size=3).map(tuple),
    python=LINES.filter(bool),
)
"""Every request that there can be, as the page, a widget, a kernelspec or a notebook keeps it."""
