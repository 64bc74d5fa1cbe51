"""A hub of launches without a scheduler, for widgets: its answers are the test's, its thread is the real one."""

from dataclasses import replace

from jupyter_hpcctr.core.cost import Cost
from jupyter_hpcctr.core.facts import Account, CatalogueImage, ImageInfo, Partition, Site
from jupyter_hpcctr.core.limits import Problem
from jupyter_hpcctr.edge.loop import EdgeLoop
from jupyter_hpcctr.errors import ImageError
from jupyter_hpcctr.launch.preview import Preview
from jupyter_hpcctr.launch.view import LaunchView

from .policies import site_policy

POLICY = site_policy(
    catalogue=(CatalogueImage("registry.example.org/hpc/python:1", "Python", "For <all>"),),
    registries=("registry.example.org",),
    engines=("charliecloud", "bare"),
)
PARTITIONS = (
    Partition("debug", is_default=True, nodes_total=2, nodes_idle=1, cpus_per_node=4, mem_mb_per_node=4096,
              time_limit_minutes=120, default_time_minutes=30, features=("ib_hdr", "avx512")),
    Partition("gpu", nodes_total=4, nodes_idle=4, cpus_per_node=64, mem_mb_per_node=8192, gres=("gpu:a100:4",),
              gres_idle=("gpu:a100:7",), time_limit_minutes=None),
)  # fmt: skip
SLURM = Site(
    "slurm", "24.11", partitions=PARTITIONS, accounts=(Account("physics", ("normal", "long"), is_default=True),)
)
STORED = ImageInfo(
    "registry.example.org/hpc/mpi:2", "sha256:" + "a" * 64, "/nowhere", "squashfs", 312_000_000, ipykernel="7.4.0",
    annotations={"org.supercontainers.mpi.implementation": "openmpi", "org.supercontainers.mpi.version": "4.1.4"},
)  # fmt: skip


class Store:
    """One image is here, and the registry has others."""

    def __init__(self):
        self.searched = []

    def find(self, ref):
        return STORED if ref.text == STORED.reference else None

    def list(self):
        return (STORED,)

    def check(self, ref):
        raise ImageError(f"there is no such image: {ref.text}", hint="look for a misspelt name")

    def near(self, ref):
        return ()

    def search(self, text):
        self.searched.append(text)
        if text == "broken":
            return (), (ImageError("registry.example.org does not answer"),)
        return ("registry.example.org/hpc/found:1",), ()


class FakeLaunch:
    def __init__(self, hub, launch_id, log):
        self.hub, self.id, self.text = hub, launch_id, log
        self.cancelled = 0

    async def cancel(self):
        self.cancelled += 1
        self.hub.tell(replace(self.hub.known[self.id], state="ended", ending="CANCELLED"))

    async def log(self, offset, limit=65536):
        return self.text[offset : offset + limit], len(self.text)


class FakeSite:
    """Stands for ``launch.Hub``. ``sites`` are answers of schedulers (or errors), ``problems`` those of previews."""

    def __init__(self, policy=POLICY):
        self.policy, self.store, self.edge = policy, Store(), EdgeLoop()
        self.sites = {"slurm": SLURM, "local": Site("local", partitions=(Partition("local", cpus_per_node=2),))}
        self.problems = ()
        self.changed = lambda: None
        self.previewed = []
        self.known, self.launches, self.listeners, self.seq = {}, {}, [], 0

    async def site(self, name, *, max_age_s=30.0):
        answer = self.sites[name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def preview(self, request, *, cwd, ask_scheduler=True):
        self.previewed.append(request)
        nodes = request.resources.nodes
        found = self.problems or ((Problem("nodes", f"debug has 2 nodes, not {nodes}", "ask for 2"),) * (nodes > 2))
        return Preview(
            command=f"sbatch --nodes={nodes} <x>", engine="charliecloud", scheduler="slurm", problems=tuple(found),
            reasons=("time 60 → 30",), expected_start="2026-01-02T03:04:05", cost=Cost(2.5, "EUR", 5.0, 0.5),
            image_here=False,
        )  # fmt: skip

    def views(self):
        return tuple(self.known.values())

    def launch(self, launch_id):
        return self.launches.get(launch_id)

    def observe(self, listener):
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def begin(self, launch_id, *, log="", **fields):
        """Have a launch; return what stands for it."""
        self.launches[launch_id] = FakeLaunch(self, launch_id, log)
        self.tell(LaunchView(launch_id, scheduler="slurm", submitted=float(len(self.known)), **fields))
        return self.launches[launch_id]

    def tell(self, view):
        """Tell who observes, in this thread, as the hub does it in its own."""
        self.seq += 1
        self.known[view.launch] = replace(view, seq=self.seq)
        for listener in tuple(self.listeners):
            listener(self.known[view.launch])

    def close(self):
        self.edge.stop()
