"""Reads what Slurm says of itself: partitions, their limits and prices, and whose accounts may be charged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...core.facts import Account, Partition, Site
from ...core.job import Output

FIELDS = (
    "Partition", "Available", "Time", "NodeAIOT", "CPUs", "Memory", "Gres", "CPUsState", "Features", "GresUsed",
    "StateCompact",
)  # fmt: skip
"""sinfo(1) ``--Format``: in ``field:|`` a size of none prints each whole, with the bar behind it."""

_NOTHING = frozenset({"", "None", "N/A", "n/a", "NONE", "(null)", "UNLIMITED", "ALL"})
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "P": 2**50}
# What jobs cannot run on: StateCompact, and "*" behind any of them for a node that does not answer.
_UNUSABLE = ("down", "drain", "drng", "fail", "maint", "unk", "inval", "futr", "block", "err")
_GIB_PER = {"": 2**10, "K": 2**20, "M": 2**10, "G": 1.0, "T": 2**-10, "P": 2**-20}


def read(sinfo: Output, config: Output, partitions: Output | None = None, users: Output | None = None) -> Site:
    """Put together what sinfo, ``scontrol show config``, ``scontrol show partition`` and sacctmgr say.

    The last two may have failed, or not have been asked: then nothing is known of limits, weights and accounts.
    """
    about: dict[str, str] = dict(re.findall(r"^(\S+)\s*= (.*?)\s*$", config.stdout, re.MULTILINE))
    host = about.get("SlurmctldHost[0]", about.get("ControlMachine", "localhost"))
    parts = re.fullmatch(r"(?P<host>[^()]+)(?:\((?P<address>[^()]+)\))?", host)
    details = _details(partitions)
    return Site(
        scheduler="slurm",
        version=about.get("SLURM_VERSION", ""),
        controller=host if parts is None else parts["address"] or parts["host"],
        partitions=tuple(_detailed(one, details.get(one.name, {}), about) for one in _partitions(sinfo.stdout)),
        accounts=_accounts(users, about.get("ClusterName", "")),
        billing_max="MAX_TRES" in about.get("PriorityFlags", "").upper().split(","),
    )


@dataclass(slots=True)
class _Rows:
    """What the rows of a partition come to; it has one for each kind of node, and state."""

    first: Partition
    known: bool = True
    gres: dict[str, None] = field(default_factory=dict)
    features: dict[str, None] = field(default_factory=dict)
    used: Counter[str] = field(default_factory=Counter)
    idle: Counter[str] = field(default_factory=Counter)

    def partition(self) -> Partition:
        return replace(
            self.first,
            gres=tuple(self.gres),
            gres_used=tuple(f"{kind}:{count}" for kind, count in self.used.items() if count),
            gres_idle=tuple(f"{kind}:{count}" for kind, count in self.idle.items()) if self.known else None,
            features=tuple(self.features) or None,
        )


def _partitions(text: str) -> tuple[Partition, ...]:
    found: dict[str, _Rows] = {}
    for row in text.splitlines():
        cells = [cell.strip() for cell in row.split("|")]
        if len(cells) >= 7:  # as it was asked for before, without what is used
            one = _row(cells)
            rows = found.setdefault(one.name, _Rows(one))
            if rows.first is not one:
                rows.first = _joined(rows.first, one)
            _count(rows, cells, one.nodes_total)
    return tuple(rows.partition() for rows in found.values())


def _row(cells: Sequence[str]) -> Partition:
    name, up, limit, counts, cpus, memory = cells[:6]
    _, idle, _, total = (_number(number) for number in counts.split("/"))
    return Partition(
        name=name.removesuffix("*"),
        is_default=name.endswith("*"),
        is_up=up == "up",
        nodes_total=total,
        nodes_idle=idle,
        cpus_per_node=_number(cpus),
        mem_mb_per_node=_number(memory),
        time_limit_minutes=_minutes(limit),
        cpus_idle=_number(cells[7].split("/")[1]) if len(cells) > 7 else None,
    )


def _joined(one: Partition, other: Partition) -> Partition:
    unknown = one.cpus_idle is None or other.cpus_idle is None
    return replace(
        one,
        nodes_total=one.nodes_total + other.nodes_total,
        nodes_idle=one.nodes_idle + other.nodes_idle,
        cpus_per_node=max(one.cpus_per_node, other.cpus_per_node),
        mem_mb_per_node=max(one.mem_mb_per_node, other.mem_mb_per_node),
        cpus_idle=None if unknown else (one.cpus_idle or 0) + (other.cpus_idle or 0),
    )


def _count(rows: _Rows, cells: Sequence[str], nodes: int) -> None:
    has = _gres(cells[6])
    rows.gres.update({f"{kind}:{count}": None for kind, count in has.items()})
    if len(cells) < len(FIELDS):
        rows.known = False
        return
    rows.features.update({name: None for name in _plain(cells[8]).split(",") if name})
    used, state = _gres(cells[9]), cells[10]
    usable = not (state.startswith(_UNUSABLE) or "*" in state)
    for kind, count in has.items():
        taken = used.get(kind, used.get(kind.partition(":")[0], 0))
        rows.used[kind] += taken * nodes
        rows.idle[kind] += max(0, count - taken) * nodes if usable else 0


def _gres(text: str) -> dict[str, int]:
    """Read ``gpu:a100:4(S:0-1),nvme:1`` as counts by kind; a count that is left out is one."""
    found: dict[str, int] = {}
    for one in re.sub(r"\([^()]*\)", "", _plain(text)).split(","):
        kind, _, count = one.rpartition(":")
        if kind and re.fullmatch(r"[0-9]+[KMGTP]?", count):
            found[kind] = found.get(kind, 0) + _number(count)
        elif one:
            found[one] = found.get(one, 0) + 1
    return found


def _details(partitions: Output | None) -> Mapping[str, Mapping[str, str]]:
    if partitions is None or partitions.returncode != 0:
        return {}
    lines = (line.split() for line in partitions.stdout.splitlines())
    pairs = ({word.partition("=")[0]: word.partition("=")[2] for word in line} for line in lines)
    return {about["PartitionName"]: about for about in pairs if "PartitionName" in about}


def _detailed(one: Partition, about: Mapping[str, str], config: Mapping[str, str]) -> Partition:
    def memory(name: str) -> int | None:
        # A partition's own default, of either kind, comes before the cluster's (slurm.conf(5)).
        own = any(_plain(about.get(each, "")) for each in ("DefMemPerCPU", "DefMemPerNode"))
        return _number(_plain((about if own else config).get(name, ""))) or None

    return replace(
        one,
        max_nodes=_number(limit) if (limit := _plain(about.get("MaxNodes", ""))) else None,
        default_time_minutes=_minutes(about.get("DefaultTime", "")),
        default_mem_mb_per_cpu=memory("DefMemPerCPU"),
        default_mem_mb_per_node=memory("DefMemPerNode"),
        billing=_weights(_plain(about.get("TRESBillingWeights", ""))),
        accounts=_names(about.get("AllowAccounts", "")),
        qos=_names(about.get("AllowQos", "")),
    )


def _weights(text: str) -> tuple[tuple[str, float], ...]:
    """Read TRESBillingWeights: that of memory is for one MiB, or for the unit behind it."""
    found: list[tuple[str, float]] = []
    for one in text.split(","):
        name, _, value = one.rpartition("=")
        read = re.fullmatch(r"([0-9.]+)([KMGTP]?)", value.upper())
        if name and read is not None:
            kind = name.lower()
            found.append((kind, float(read[1]) * (_GIB_PER[read[2]] if kind == "mem" else 1)))
    return tuple(found)


def _accounts(users: Output | None, cluster: str) -> tuple[Account, ...]:
    if users is None or users.returncode != 0:
        return ()
    rows = [cells for line in users.stdout.splitlines() if len(cells := line.split("|")) == 4 and cells[2]]
    here = [row for row in rows if row[1] == cluster] or rows
    found: dict[str, Account] = {}
    for default, _, name, qos in here:
        before = found[name].qos if name in found else ()
        found[name] = Account(name, tuple(dict.fromkeys((*before, *_names(qos)))), name == default)
    return tuple(found.values())


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in _plain(text).split(",") if name)


def _plain(text: str) -> str:
    return "" if text.strip() in _NOTHING else text.strip()


def _minutes(limit: str) -> int | None:
    """Read sinfo's time limit, [days-]hours:minutes:seconds, shorter ones without what is zero in front."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", limit)
    if found is None:
        return None
    days, hours, minutes, _ = (int(number or 0) for number in found.groups())
    return (days * 24 + hours) * 60 + minutes


def _number(text: str) -> int:
    """Read a count of sinfo's: "4+" is the least of unlike nodes, "2K" is 2048 (whole multiples are cut so)."""
    found = re.match(r"([0-9]+)([KMGTP]?)", text)
    return int(found[1]) * _UNITS[found[2]] if found else 0
