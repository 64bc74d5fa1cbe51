"""Whether there is an image of a name, and what many open forms ask of one scheduler."""

import asyncio
from types import SimpleNamespace

import pytest
from support.policies import site_policy

from jupyter_hpcctr import kernelspecs, plugins
from jupyter_hpcctr.core.facts import CatalogueImage, ImageInfo, Partition, Site
from jupyter_hpcctr.core.job import Command, Output
from jupyter_hpcctr.core.questions import opening, replayed
from jupyter_hpcctr.core.request import parse
from jupyter_hpcctr.errors import ImageError, PolicyError, RequestError, SchedulerUnreachable
from jupyter_hpcctr.launch.sites import Sites
from jupyter_hpcctr.offers.gallery import recent
from jupyter_hpcctr.server.offers import Offers

CATALOGUE = (CatalogueImage("lab/solver:2", "Solver"),)


class Asked:
    """A store whose registry has every image, unless it is told what to raise."""

    registry, asked = None, 0

    def __init__(self, *names):
        self.names = names

    def find(self, ref):
        return ImageInfo(ref.text, "sha256:1", "/x", "squashfs", 10) if ref.text in self.names else None

    def list(self):
        return tuple(ImageInfo(name, "sha256:1", "/x", "squashfs", 10) for name in self.names)

    def check(self, ref):
        self.asked += 1
        if self.registry is not None:
            raise self.registry
        return 5_000_000

    def near(self, ref):
        return ("far/solver:2", "far/solver:1")


def checked(store, *references, policy=None):
    offers = Offers(SimpleNamespace(policy=policy or site_policy(catalogue=CATALOGUE), store=store))

    async def main():
        return [await offers.check(reference) for reference in references]

    return asyncio.run(main())


def test_a_name_that_there_is_not_is_answered_with_what_is_like_it():
    store = Asked("lab/solver:3")
    store.registry = ImageError("lab/slover:2: there is no such image", hint="check its name")
    for answer in checked(store, "lab/slover:2", "lab/slover:2"):
        assert (answer["found"], answer["message"]) == (False, "lab/slover:2: there is no such image")
        assert answer["near"] == ["lab/solver:2", "lab/solver:3", "far/solver:2", "far/solver:1"]
    assert store.asked == 2, "it may be there in a moment"
    (answer,) = checked(store, "elsewhere.example.org/x/solver:2")
    assert answer["near"][0] == "lab/solver:2", "by its last part"


def test_a_name_that_is_there_is_asked_for_once_and_one_of_the_store_never():
    store = Asked("lab/solver:3")
    one, again, here = checked(store, "far/away:1", "far/away:1", "lab/solver:3")
    assert one == again
    assert (one["found"], one["size_bytes"], one["near"]) == (True, 5_000_000, [])
    assert (here["found"], here["size_bytes"], store.asked) == (True, None, 1)


def test_a_registry_that_is_down_does_not_make_a_name_wrong():
    store = Asked()
    store.registry = ImageError("the registry does not answer")
    store.registry.transient = True
    (answer,) = checked(store, "far/away:1")
    assert (answer["found"], answer["message"], answer["near"]) == (None, "the registry does not answer", [])


@pytest.mark.parametrize(("reference", "refusal"), [("b:1", PolicyError), ("../b", RequestError)])
def test_only_what_the_site_allows_is_asked_for(reference, refusal):
    store = Asked()
    with pytest.raises(refusal):
        checked(store, reference, policy=site_policy(image_patterns=("a:*",)))
    assert store.asked == 0


def test_a_name_that_was_started_once_is_offered_again_only_if_it_was_there(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    store = Asked("lab/here:1")
    for name, saved in (("lab/here:1", False), ("lab/mispelt:1", False), ("lab/saved:1", True)):
        kernelspecs.keep(parse({"image": name}), saved=saved)
    assert set(recent(store)) == {"lab/here:1", "lab/saved:1"}


def forms(outcome, *, times):
    """Open five forms at once, that many times; return the answers, and what Slurm was asked."""
    asked = []

    async def run(name, asking):
        asked.append(opening(asking))
        await asyncio.sleep(0.01)
        return replayed(site(""), Output(*outcome))

    def site(user):
        output = yield Command(("sinfo",))
        if output.returncode:
            raise SchedulerUnreachable("slurm does not answer")
        return Site("slurm", partitions=(Partition("debug", nodes_total=2, nodes_idle=1),))

    scheduler = SimpleNamespace(site=site)
    hub = SimpleNamespace(policy=site_policy(schedulers=("slurm",), default_scheduler="slurm"))
    sites = Sites(lambda name: scheduler, run)
    hub.site, hub.asked = sites.site, sites.asked
    hub.edge = SimpleNamespace(call=lambda work: work)
    hub.changed, hub.engine = lambda: None, plugins.engine

    async def main():
        offers = Offers(hub)
        return [await asyncio.gather(*(offers.options(refresh=True) for _ in range(5))) for _ in range(times)]

    return asyncio.run(main()), asked


def test_however_many_forms_are_open_one_question_serves_them_all(monkeypatch):
    monkeypatch.setattr("jupyter_hpcctr.server.offers.REFRESH_S", 3600.0)
    answers, asked = forms((0, "", ""), times=2)
    assert len(asked) == 1
    (last, _), *_ = answers[-1]
    (first, _), *_ = answers[0]
    assert last["age_s"] >= first["age_s"] >= 0, "it grows until the scheduler is asked again"
    assert last["schedulers"][0]["partitions"][0]["nodes_idle"] == 1


def test_a_scheduler_that_is_down_is_asked_once_by_all_who_wait():
    answers, asked = forms((1, "", "down"), times=1)
    assert len(asked) <= 2
    assert {body["schedulers"][0]["problem"] for answer in answers for body, _ in answer} == {"slurm does not answer"}
