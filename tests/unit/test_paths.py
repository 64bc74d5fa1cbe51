"""Which file a kernel means by a path: in a container, without one, and where it cannot be known."""

from types import SimpleNamespace

import pytest

from jupyter_hpcctr.launch import kernel
from jupyter_hpcctr.launch.paths import resolve
from jupyter_hpcctr.protocol.container import Mount


@pytest.fixture
def place(tmp_path):
    """A home with a work directory, and a directory that is mounted elsewhere."""
    for name in ("home/work/code.py", "home/note.txt", "data/set/one.csv", "data/two.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


@pytest.fixture(params=["container", "bare"])
def ask(request, place):
    home, data = str(place / "home"), str(place / "data")
    image = None if request.param == "bare" else "an image"
    plan = SimpleNamespace(workdir=f"{home}/work", env={"HOME": home}, image=image)
    mounts = () if request.param == "bare" else (Mount(home, home), Mount(data, "/data"))

    def run(path):
        return resolve(path, plan, mounts)

    run.engine = request.param
    return run


def test_a_path_is_relative_to_the_kernels_work_directory_or_its_home(ask, place):
    assert ask("code.py") == ask("./code.py") == str(place / "home/work/code.py")
    assert ask("../note.txt") == ask("~/note.txt") == str(place / "home/note.txt")
    assert ask("~") == ask("..") == str(place / "home")
    assert ask(str(place / "home/note.txt")) == str(place / "home/note.txt")


@pytest.mark.parametrize("path", ["nothing.py", "~/nothing", "/nothing/at/all", "~other/note.txt", ""])
def test_what_is_not_there_is_not_found(ask, place, path):
    assert ask(path) == (None if path else str(place / "home/work"))


def test_a_mounted_directory_is_known_by_its_place_in_the_container(ask, place):
    for path in ("/data", "/data/two.csv", "/data/set/../two.csv", "/data/set/one.csv"):
        assert (ask(path) is not None) == (ask.engine == "container")
    assert ask("/database") is ask("/data/../two.csv") is None
    assert ask("/data/set/one.csv") in ("/data/set/one.csv", None)


def test_the_images_own_files_are_not_guessed_from_those_of_this_machine(ask):
    assert ask("/etc/passwd") == ("/etc/passwd" if ask.engine == "bare" else None)


def test_the_narrowest_mount_counts(place):
    home, data = str(place / "home"), str(place / "data")
    plan = SimpleNamespace(workdir="/", env={}, image="an image")
    mounts = (Mount(home, "/x"), Mount(data, "/x/work"))
    assert resolve("/x/work/two.csv", plan, mounts) == "/x/work/two.csv"
    assert resolve("/x/work/code.py", plan, mounts) is None
    assert resolve("/x/note.txt", plan, mounts) == "/x/note.txt"


def test_what_is_mounted_over_the_home_directory_is_what_the_kernel_sees_there(place, monkeypatch):
    home, data = str(place / "home"), str(place / "data")
    monkeypatch.setenv("HOME", home)
    launch = SimpleNamespace(
        plan=SimpleNamespace(workdir=home, env={"HOME": home}, image="an image"),
        _hub=SimpleNamespace(policy=SimpleNamespace(mount_home=True)),
        _request=SimpleNamespace(mounts=(Mount(data, home),)),
    )
    found = [kernel.Launch.resolve_path(launch, path) for path in ("two.csv", "note.txt")]
    assert found == [f"{home}/two.csv", None]
