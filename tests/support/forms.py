"""What the server says of a made-up site, and the form for some choices: the page's own tests work with the same.

``python tests/support/forms.py`` writes it to ``FILE`` again.
"""

import json
from pathlib import Path

from jupyter_hpcctr.core.facts import Account, Partition, Site
from jupyter_hpcctr.offers.shown import shown
from jupyter_hpcctr.server.offers import options

from .policies import site_policy

FILE = Path(__file__).resolve().parents[2] / "labextension" / "src" / "__tests__" / "forms.json"

SLOW = Partition(
    "slow", is_default=True, nodes_total=4, nodes_idle=1, cpus_per_node=8, cpus_idle=12, mem_mb_per_node=16_000,
    features=("ib_hdr",), time_limit_minutes=120, max_nodes=3,
)  # fmt: skip
FAST = Partition(
    "fast", nodes_total=4, nodes_idle=1, cpus_per_node=8, cpus_idle=12, mem_mb_per_node=16_000,
    gres=("gpu:a100:4",), gres_idle=("gpu:a100:3",), time_limit_minutes=120,
)  # fmt: skip
MIXED = Partition(
    "mixed", nodes_total=2, nodes_idle=2, cpus_per_node=64, gres=("gpu:h100:8", "gpu:l4:1"), features=("avx512",),
    accounts=("chem",), qos=("short",),
)  # fmt: skip
ACCOUNTS = (Account("phys", ("long",), is_default=True), Account("chem", ("long", "short")))
SLURM = Site("slurm", "22.05", partitions=(SLOW, FAST, MIXED), accounts=ACCOUNTS)
LOCAL = Site("local", partitions=(Partition("local", True, nodes_total=1, nodes_idle=1, cpus_per_node=4),))
POLICY = site_policy(engines=("charliecloud",), currency="EUR", prices=(("*", 0.5),))
CHOICES = (
    {},
    {"partition": "slow"},
    {"partition": "fast"},
    {"partition": "fast", "gpu_type": "a100"},
    {"partition": "mixed"},
    {"partition": "mixed", "gpu_type": "l4", "gpus_per_node": 1},
    {"partition": "mixed", "account": "chem"},
    {"partition": "slow", "gpus_per_node": 2, "qos": "huge", "gpu_type": "a100"},
    {"partition": "slow", "gpus_per_node": 0, "gpu_type": ""},
    {"partition": "gone"},
    {"account": "chem"},
)


def made():
    """Return what the file has."""
    said = options(POLICY, {"slurm": SLURM, "local": LOCAL})
    slurm, local = said["schedulers"]
    chosen = [*((slurm, each) for each in CHOICES), (local, {})]
    cases = [{"scheduler": s["name"], "chosen": c, "shown": shown(s["form"]["schema"], c)} for s, c in chosen]
    return {"options": said, "cases": cases}


if __name__ == "__main__":
    FILE.write_text(json.dumps(made(), indent=1) + "\n", encoding="utf-8")
