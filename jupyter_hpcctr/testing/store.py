"""What every image store must do, as a pytest class to be subclassed: a real image, fetched, found and removed."""

from __future__ import annotations

import concurrent.futures
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ..core.facts import GUEST_ROOT, HOST_ROOTS, ImageInfo
from ..core.request import ImageRef
from ..core.seams import ImageStore
from ..errors import ImageError, PullCancelled

PLACES = (
    *HOST_ROOTS, f"{GUEST_ROOT}/guest", f"{GUEST_ROOT}/run",
    "/etc/passwd", "/etc/group", "/etc/hosts", "/etc/resolv.conf",
)  # fmt: skip
"""What an engine may want to mount over. A store adds to an image what it lacks of that, an empty file will do."""


class StoreContract:
    """What holds for every image store, shown by one small image.

    A subclass gives the method ``open`` and the fixtures ``reference`` and ``absent``.
    """

    def open(self, place: Path) -> ImageStore:
        """Return a store that keeps what it has below a directory; several may be opened on the same one."""
        raise NotImplementedError("give the method 'open'")

    @pytest.fixture
    def reference(self) -> str:
        """The name of an image that can be fetched."""
        raise NotImplementedError("give the fixture 'reference': the name of an image that can be fetched")

    @pytest.fixture
    def absent(self) -> str:
        """A name like it, of which where it comes from says that there is no such image."""
        raise NotImplementedError("give the fixture 'absent': the name of an image that there is not")

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        """A directory for a store, which is not there yet."""
        return tmp_path / "a store"

    @pytest.fixture
    def store(self, place: Path) -> ImageStore:
        """A store with nothing in it."""
        return self.open(place)

    @pytest.fixture
    def pulled(self, store: ImageStore, reference: str) -> ImageInfo:
        """The image, in the store."""
        return store.pull(ImageRef(reference), _quiet)

    def test_an_empty_store_knows_nothing(self, store: ImageStore, reference: str) -> None:
        assert store.find(ImageRef(reference)) is None
        assert store.list() == ()

    def test_a_pull_says_what_it_does_and_returns_what_is_found_from_then_on(
        self, store: ImageStore, place: Path, reference: str
    ) -> None:
        said: list[str] = []
        image = store.pull(ImageRef(reference), said.append)
        assert said and all(said)
        assert image.reference == reference
        assert store.find(ImageRef(reference)) == image
        assert store.list() == (image,)
        other = self.open(place)
        assert (other.find(ImageRef(reference)), other.list()) == (image, (image,))

    def test_an_image_can_be_run_from_where_it_is(self, pulled: ImageInfo) -> None:
        path = Path(pulled.path)
        assert path.is_absolute()
        assert pulled.kind in ("squashfs", "directory")
        assert path.is_dir() is (pulled.kind == "directory")
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", pulled.digest)
        found = path.stat()
        assert found.st_mode & 0o022 == 0, "others can change it"
        if pulled.kind == "squashfs":
            assert (found.st_size, found.st_uid) == (pulled.size_bytes, pulled.owner)

    def test_an_image_has_what_is_mounted_over_and_room_for_more(self, store: ImageStore, pulled: ImageInfo) -> None:
        assert {root.lstrip("/") for root in (*HOST_ROOTS, GUEST_ROOT)} <= set(pulled.roots)
        assert store.missing(pulled, PLACES) == ()
        assert not pulled.roots["dev"] and not pulled.roots["proc"] and not pulled.roots["sys"]
        rooms = [name for name, empty in pulled.roots.items() if empty and f"/{name}" not in HOST_ROOTS]
        assert len(rooms) >= 2, "nothing can be mounted: there are no empty directories in the root"

    def test_what_an_image_is_known_not_to_have_is_named_and_nothing_else(
        self, store: ImageStore, pulled: ImageInfo
    ) -> None:
        there, nowhere = "/etc", "/etc/no-such-directory"
        assert store.missing(pulled, []) == ()
        assert set(store.missing(pulled, [there, nowhere])) <= {nowhere}

    def test_a_second_pull_gives_the_same(self, store: ImageStore, pulled: ImageInfo) -> None:
        assert store.pull(ImageRef(pulled.reference), _quiet) == pulled
        assert store.list() == (pulled,)

    def test_several_that_pull_at_once_get_one_image(self, place: Path, reference: str) -> None:
        pull: Callable[[int], ImageInfo] = lambda _: self.open(place).pull(ImageRef(reference), _quiet)  # noqa: E731
        with concurrent.futures.ThreadPoolExecutor() as pool:
            images = list(pool.map(pull, range(4)))
        assert images[1:] == images[:-1]
        assert self.open(place).list() == (images[0],)

    def test_a_pull_that_is_cancelled_leaves_nothing(self, store: ImageStore, reference: str) -> None:
        def report(said: str) -> None:
            raise PullCancelled("enough")

        with pytest.raises(PullCancelled):
            store.pull(ImageRef(reference), report)
        assert store.find(ImageRef(reference)) is None
        assert store.list() == ()
        assert store.pull(ImageRef(reference), _quiet).reference == reference

    def test_what_is_removed_is_gone(self, store: ImageStore, place: Path, pulled: ImageInfo) -> None:
        store.remove(ImageRef(pulled.reference))
        for each in (store, self.open(place)):
            assert each.find(ImageRef(pulled.reference)) is None
            assert each.list() == ()
        assert not Path(pulled.path).exists()
        with pytest.raises(ImageError) as error:
            store.remove(ImageRef(pulled.reference))
        _has_a_hint(error.value)
        assert store.pull(ImageRef(pulled.reference), _quiet).digest == pulled.digest

    def test_an_image_that_there_is_not_is_told_from_one_that_there_is(
        self, store: ImageStore, reference: str, absent: str
    ) -> None:
        assert store.check(ImageRef(reference)) >= 0
        for ask in (store.check, lambda ref: store.pull(ref, _quiet)):
            with pytest.raises(ImageError) as error:
                ask(ImageRef(absent))
            _has_a_hint(error.value)
            assert not error.value.transient
        assert store.find(ImageRef(absent)) is None
        assert store.list() == ()

    def test_asking_changes_nothing(self, store: ImageStore, pulled: ImageInfo, absent: str) -> None:
        store.check(ImageRef(pulled.reference))
        for reference in store.near(ImageRef(absent)):
            assert ImageRef(reference).text != absent
        found, failed = store.search("no-such-name-anywhere")
        assert all(ImageRef(reference) for reference in found)
        assert all(error.field for error in failed)
        assert store.list() == (pulled,)

    def test_another_store_is_another(self, pulled: ImageInfo, tmp_path: Path) -> None:
        other = self.open(tmp_path / "another store")
        assert other.find(ImageRef(pulled.reference)) is None
        assert other.list() == ()


def _quiet(said: str) -> None:
    assert said


def _has_a_hint(error: ImageError) -> None:
    assert error.message and error.hint
