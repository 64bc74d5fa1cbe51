"""Images to choose from, fetching them, and answers that are kept."""

import asyncio
import itertools
import threading
import time
from types import SimpleNamespace

import pytest
from support.policies import site_policy

from jupyter_hpcctr.core.facts import CatalogueImage, ImageInfo
from jupyter_hpcctr.core.pulling import PullStep
from jupyter_hpcctr.errors import ImageError, PolicyError, PullCancelled, RequestError
from jupyter_hpcctr.offers.gallery import badges, gallery
from jupyter_hpcctr.server import pulls
from jupyter_hpcctr.server.caches import Kept
from jupyter_hpcctr.server.errors import NotHere
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
    return gallery(store, policy or site_policy(catalogue=CATALOGUE), recent, found, text)


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
    slip = site_policy(catalogue=(CatalogueImage("../../etc/passwd"), *CATALOGUE))
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
    offers = Offers(SimpleNamespace(policy=site_policy(registries=("near", "far")), store=store))

    async def main():
        return [await offers.images(text) for text in ("Python gpu", "Python gpu", "python GPU")]

    first, second, third = asyncio.run(main())
    assert [[each["reference"] for each in answer["images"]] for answer in (first, second)] == [
        ["near/python:GPU-1"]
    ] * 2
    assert (first["problems"], second["problems"]) == ([{"registry": "far", "message": "down"}], [])
    assert third == second
    assert store.asked == ("Python", "Python"), "a whole answer is kept for a while"


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
        made = Pulls(store, policy or site_policy(), told.append)
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


def test_a_fetch_that_is_cancelled_ends_its_pull_and_says_so(soon):
    ended, told = threading.Event(), []

    class Slow(Store):
        def pull(self, ref, report):
            try:
                for done in itertools.count(1):
                    report(PullStep("fetching", done, 10**9, left_s=90.4))
                    time.sleep(0.001)
            except PullCancelled:
                ended.set()
                raise

    async def main():
        made = Pulls(Slow(), site_policy(), told.append)
        made.start("a:1")
        with pytest.raises(NotHere):
            made.cancel("b:1")
        while made.left_s("a:1") is None:
            await asyncio.sleep(0.001)
        assert made.left_s("a:1") == 90
        made.cancel("a:1")
        while made._running or made._news:
            await asyncio.sleep(0.001)
        assert made.left_s("a:1") is None
        with pytest.raises(NotHere):
            made.cancel("a:1")

    asyncio.run(main())
    assert ended.wait(20)
    assert [each["state"] for each in told][-1] == "cancelled"


def test_a_fetch_that_waits_for_others_can_be_cancelled(soon):
    release, told = threading.Event(), []

    class Held(Store):
        def pull(self, ref, report):
            self.pulled.append(ref.text)
            release.wait(20)

    store = Held()

    async def main():
        made = Pulls(store, site_policy(), told.append)
        for reference in ("a:1", "b:1", "c:1"):
            made.start(reference)
        while len(store.pulled) < 2:
            await asyncio.sleep(0.001)
        made.cancel("c:1")
        release.set()
        while made._running or made._news:
            await asyncio.sleep(0.001)

    asyncio.run(main())
    assert sorted(store.pulled) == ["a:1", "b:1"]
    assert {each["reference"]: each["state"] for each in told} == {"a:1": "done", "b:1": "done", "c:1": "cancelled"}


@pytest.mark.parametrize(("reference", "refusal"), [("b:1", PolicyError), ("../b", RequestError)])
def test_only_what_the_site_allows_is_fetched(reference, refusal):
    store = Store()
    with pytest.raises(refusal):
        fetched(store, reference, policy=site_policy(image_patterns=("a:*",)))
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
