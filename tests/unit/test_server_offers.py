"""Images to choose from, fetching them, and answers that are kept."""

import asyncio
from types import SimpleNamespace

import pytest

from jupyter_hpcctr import kernelspecs
from jupyter_hpcctr.core.facts import CatalogueImage, ImageInfo, Partition, Policy, Site
from jupyter_hpcctr.core.job import Command, Output
from jupyter_hpcctr.core.request import parse
from jupyter_hpcctr.errors import ImageError, PolicyError, RequestError, SchedulerUnreachable
from jupyter_hpcctr.launch.sites import Sites
from jupyter_hpcctr.offers.gallery import badges, gallery, recent
from jupyter_hpcctr.server import pulls
from jupyter_hpcctr.server.caches import Kept
from jupyter_hpcctr.server.offers import Offers
from jupyter_hpcctr.server.pulls import Pulls

CATALOGUE = (CatalogueImage("lab/solver:2", "Solver"), CatalogueImage("lab/python", "Python", "For everything"))


class Store:
    """A store of which only the answers are there."""

    def __init__(self, *images, fails=None):
        self.images, self.fails = {image.reference: image for image in images}, fails
        self.pulled = []

    def find(self, ref):
        return next((i for name, i in self.images.items() if name in (ref.text, f"docker.io/{ref.text}:latest")), None)

    def list(self):
        if self.fails:
            raise self.fails
        return tuple(self.images.values())

    def pull(self, ref, report):
        self.pulled.append(ref.text)
        for step in range(50):
            report(f"step {step}")
        if self.fails:
            raise self.fails


def image(reference, digest="sha256:1", **more):
    return ImageInfo(reference, digest, "/x", "squashfs", 10, **more)


def shown(store, *, recent=(), found=(), text="", policy=None):
    return gallery(store, policy or Policy(catalogue=CATALOGUE), recent, found, text)


def test_what_is_on_the_cluster_comes_first_then_the_catalogue_in_its_order():
    store = Store(image("other:1", "sha256:2", ipykernel="7.4.0"))
    images, problems = shown(store, recent=["lab/solver:2", "mine:1"], found=["far/away:9"])
    assert [each["reference"] for each in images] == ["other:1", "lab/solver:2", "lab/python", "far/away:9", "mine:1"]
    assert images[0]["kernels"] == ["ipykernel 7.4.0"]
    assert [each["sources"] for each in images[:2]] == [["store"], ["catalogue", "recent"]]
    assert problems == []


def test_an_image_that_the_store_has_by_its_whole_name_is_shown_once():
    images, _ = shown(Store(image("docker.io/lab/python:latest")))
    assert [(each["reference"], each["on_cluster"]) for each in images] == [
        ("lab/python", True),
        ("lab/solver:2", False),
    ]
    assert images[0]["sources"] == ["catalogue", "store"]
    assert (images[0]["digest"], images[0]["size_bytes"]) == ("sha256:1", 10)


def test_every_word_of_a_search_must_be_found():
    assert [each["title"] for each in shown(Store(), text="every PYTHON")[0]] == ["Python"]
    assert shown(Store(), text="every solver")[0] == []
    assert [each["sources"] for each in shown(Store(), text="pyth:3", found=["far/python:3.1"])[0]] == [["registry"]]


def test_what_is_wrong_with_the_store_or_the_catalogue_is_told_and_the_rest_shown():
    slip = Policy(catalogue=(CatalogueImage("../../etc/passwd"), *CATALOGUE))
    images, problems = shown(Store(fails=ImageError("damaged")), policy=slip)
    assert len(images) == 2
    assert [("damaged" in p["message"], "passwd" in p["message"]) for p in problems] == [(False, True), (True, False)]


class Registries(Store):
    """A store that asks registries, of which one answers from the second question on."""

    asked = ()

    def search(self, text):
        self.asked = (*self.asked, text)
        failed = (ImageError("down", field="far"),) if len(self.asked) == 1 else ()
        return ("near/python:GPU-1", "near/python:2"), failed


def test_a_registry_that_does_not_answer_hides_nothing_and_is_asked_again(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    store = Registries()
    offers = Offers(SimpleNamespace(policy=Policy(registries=("near", "far")), store=store))

    async def main():
        return [await offers.images(text) for text in ("Python gpu", "Python gpu", "python GPU")]

    first, second, third = asyncio.run(main())
    assert [[each["reference"] for each in answer["images"]] for answer in (first, second)] == [
        ["near/python:GPU-1"]
    ] * 2
    assert (first["problems"], second["problems"]) == ([{"registry": "far", "message": "down"}], [])
    assert third == second
    assert store.asked == ("Python", "Python"), "a whole answer is kept for a while"


class Asked(Store):
    """A store whose registry has one image, or does not answer."""

    registry, asked = None, 0

    def check(self, ref):
        self.asked += 1
        if self.registry is not None:
            raise self.registry
        return 5_000_000

    def near(self, ref):
        return ("far/solver:2", "far/solver:1")


def checked(store, *references, policy=None):
    offers = Offers(SimpleNamespace(policy=policy or Policy(catalogue=CATALOGUE), store=store))

    async def main():
        return [await offers.check(reference) for reference in references]

    return asyncio.run(main())


def test_a_name_that_there_is_not_is_answered_with_what_is_like_it():
    store = Asked(image("lab/solver:3"))
    store.registry = ImageError("lab/slover:2: there is no such image", hint="check its name")
    for answer in checked(store, "lab/slover:2", "lab/slover:2"):
        assert (answer["found"], answer["message"]) == (False, "lab/slover:2: there is no such image")
        assert answer["near"] == ["lab/solver:2", "lab/solver:3", "far/solver:2", "far/solver:1"]
    assert store.asked == 2, "it may be there in a moment"
    (answer,) = checked(store, "elsewhere.example.org/x/solver:2")
    assert answer["near"][0] == "lab/solver:2", "by its last part"


def test_a_name_that_is_there_is_asked_for_once_and_one_of_the_store_never():
    store = Asked(image("lab/solver:3"))
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
        checked(store, reference, policy=Policy(image_patterns=("a:*",)))
    assert store.asked == 0


def test_a_name_that_was_started_once_is_offered_again_only_if_it_was_there(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    store = Store(image("lab/here:1"))
    for name, saved in (("lab/here:1", False), ("lab/mispelt:1", False), ("lab/saved:1", True)):
        kernelspecs.keep(parse({"image": name}), saved=saved)
    assert set(recent(store)) == {"lab/here:1", "lab/saved:1"}


def forms(outcome, *, times):
    """Open that many forms at once, which each ask for the figures; return the answers and how often Slurm was asked."""
    asked = []

    async def run(name, command):
        asked.append(command)
        await asyncio.sleep(0.01)
        return Output(*outcome)

    scheduler = SimpleNamespace(
        site=lambda user: (Command(("sinfo",)),),
        read_site=lambda outputs: Site("slurm", partitions=(Partition("debug", nodes_total=2, nodes_idle=1),))
        if outputs[0].returncode == 0
        else fail(SchedulerUnreachable("slurm does not answer")),
    )
    hub = SimpleNamespace(policy=Policy(schedulers=("slurm",), default_scheduler="slurm"))
    sites = Sites(lambda name: scheduler, run)
    hub.site, hub.asked = sites.site, sites.asked
    hub.edge = SimpleNamespace(call=lambda work: work)

    async def main():
        offers = Offers(hub)
        return [await asyncio.gather(*(offers.options(refresh=True) for _ in range(5))) for _ in range(times)]

    return asyncio.run(main()), asked


def fail(error):
    raise error


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


def test_badges_say_what_an_image_is_made_for():
    notes = {
        "org.supercontainers.mpi.implementation": "OpenMPI",
        "org.supercontainers.mpi.version": "4.1.4",
        "org.supercontainers.hardware.cpu.target": "zen4",
    }
    made = badges(image("a", annotations=notes, env={"CUDA_VERSION": "12.4"}))
    assert made == [
        {"kind": "mpi", "text": "Open MPI 4.1.4"},
        {"kind": "gpu", "text": "CUDA 12.4"},
        {"kind": "cpu", "text": "zen4"},
    ]
    assert badges(image("a")) == []


def fetched(store, *references, policy=None):
    """Fetch, and return what was told."""
    told = []

    async def main():
        made = Pulls(store, policy or Policy(), told.append)
        for reference in references:
            made.start(reference)
        while made._running or made._news:
            await asyncio.sleep(0.005)

    asyncio.run(main())
    return told


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(pulls, "PACE_S", 0.05)


def test_a_fetch_tells_a_little_of_its_steps_and_always_its_end(soon):
    store = Store()
    told = fetched(store, "a:1", "a:1")
    assert store.pulled == ["a:1"]
    assert [(each["reference"], each["state"]) for each in told] == [("a:1", "running"), ("a:1", "done")]


def test_a_fetch_that_fails_says_why(soon):
    told = fetched(Store(fails=ImageError("not found", hint="look again")), "a:1")
    assert (told[-1]["state"], told[-1]["message"]) == ("failed", "not found (look again)")


@pytest.mark.parametrize(("reference", "refusal"), [("b:1", PolicyError), ("../b", RequestError)])
def test_only_what_the_site_allows_is_fetched(reference, refusal):
    store = Store()
    with pytest.raises(refusal):
        fetched(store, reference, policy=Policy(image_patterns=("a:*",)))
    assert store.pulled == []


def kept(fresh_s, stale_s, *answers):
    made = []

    async def make():
        made.append(answers[len(made)])
        await asyncio.sleep(0)
        if isinstance(made[-1], Exception):
            raise made[-1]
        return made[-1]

    return Kept(make, fresh_s=fresh_s, stale_s=stale_s), made


def test_an_answer_is_made_once_for_all_who_ask():
    async def main():
        cache, made = kept(60, 60, 1, 2)
        assert [value for value, _ in await asyncio.gather(*(cache.get() for _ in range(5)))] == [1] * 5
        assert (await cache.get())[0] == 1
        assert (await cache.get(anew=True))[0] == 2
        assert made == [1, 2]

    asyncio.run(main())


def test_what_is_asked_for_anew_was_not_begun_before():
    async def main():
        cache, made = kept(60, 60, 1, 2, 3)
        first = asyncio.create_task(cache.get())
        while not made:
            await asyncio.sleep(0)
        assert made == [1]
        answers = await asyncio.gather(cache.get(anew=True), cache.get())
        assert [value for value, _ in answers] == [2, 1]
        assert (await first)[0] == 1

    asyncio.run(main())


def test_an_answer_that_is_no_longer_fresh_is_given_at_once_and_made_anew_meanwhile():
    async def main():
        cache, made = kept(0, 60, 1, 2)
        assert (await cache.get())[0] == 1
        await asyncio.sleep(0.01)
        assert (await cache.get())[0] == 1
        await asyncio.sleep(0.01)
        assert made == [1, 2]

    asyncio.run(main())


def test_an_answer_that_is_too_old_is_waited_for_and_a_failure_is_no_answer():
    async def main():
        cache, _ = kept(0, 0, 1, ValueError("x"), 3)
        assert (await cache.get())[0] == 1
        await asyncio.sleep(0.01)
        with pytest.raises(ValueError, match="x"):
            await cache.get()
        assert (await cache.get())[0] == 3

    asyncio.run(main())
