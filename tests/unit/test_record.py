"""A launch's record on disk: it says again what was written, to one process at a time, and to this user alone."""

import asyncio
import fcntl
import json
import os

import pytest
from support.life import explore
from support.plans import drawn

from jupyter_hpcctr.core.job import JobId
from jupyter_hpcctr.core.life import Life
from jupyter_hpcctr.core.life.state import kept
from jupyter_hpcctr.core.request import parse
from jupyter_hpcctr.edge import locks
from jupyter_hpcctr.errors import KernelOwned, RecordUnreadable
from jupyter_hpcctr.launch import record
from jupyter_hpcctr.launch.found import is_owned, left, recorded
from jupyter_hpcctr.launch.keeper import LOCK, Claim, Keeper
from jupyter_hpcctr.launch.places import of_kernel
from jupyter_hpcctr.launch.progress import first_view
from jupyter_hpcctr.launch.record import Kernel, Record, Session, Submission

RAW = {"image": "registry.example.org/science/python:3", "nodes": 2, "time": "1:00:00"}

CONTAINED, BARE = drawn(RAW)[0], drawn({"engine": "bare"})[0]
VIEW = first_view("abc", "k1", parse(RAW))


def made(life=Life(), session=None, kernel_id="k1"):  # noqa: B008
    request = parse({"engine": "bare", "scheduler": "slurm", "nodes": 2})
    return Record(
        kernel=Kernel.here(kernel_id, "bare", "/home/a"),
        name="abc",
        cwd="/home/a/work",
        key="secret-of-a",
        request=request,
        life=life,
        jobs={1: Submission(BARE, JobId("7"), "public"), 2: Submission(CONTAINED, None, "")},
        view=VIEW,
        session=session,
    )


def directory(tmp_path, kernel_id="k1"):
    return of_kernel(str(tmp_path), kernel_id)


def test_it_says_again_what_was_written(tmp_path):
    was = made(session=Session("s", "a/b.ipynb", "b.ipynb", "notebook"))
    record.write(directory(tmp_path), was)
    assert record.read(directory(tmp_path)) == was
    assert (directory(tmp_path) / "record.json").stat().st_mode & 0o777 == 0o600


def test_every_life_that_there_can_be_is_read_as_it_was_written(tmp_path):
    lives = {kept(after) for _, _, after, _ in explore()}
    for life in lives:
        text = json.dumps(record.to_json(made(life)))
        assert record.from_json(json.loads(text)).life == life
    assert len(lives) > 100


def test_the_key_is_not_shown():
    assert "secret-of-a" not in repr(made())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format": 99}', "another version"),
        ('{"format": 3}', "cannot be read"),
        ('{"format": 3, "kernel": 7}', "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said_and_left_alone(tmp_path, text, words):
    record.write(directory(tmp_path), made())
    path = directory(tmp_path) / "record.json"
    path.write_text(text)
    with pytest.raises(RecordUnreadable, match=words) as error:
        record.read(directory(tmp_path))
    assert str(path) in str(error.value) and error.value.hint
    assert list(recorded(str(tmp_path))) == list(left(str(tmp_path))) == []
    assert path.read_text() == text


def test_what_others_can_read_is_not_believed(tmp_path):
    record.write(directory(tmp_path), made())
    (directory(tmp_path) / "record.json").chmod(0o640)
    with pytest.raises(RecordUnreadable, match="own"):
        record.read(directory(tmp_path))


def test_a_kernel_has_one_owner(tmp_path):
    first = Claim(directory(tmp_path))
    with pytest.raises(KernelOwned):
        Claim(directory(tmp_path))
    record.write(directory(tmp_path), made())
    assert is_owned(str(tmp_path), made()) and list(left(str(tmp_path))) == []
    first.release()
    assert not is_owned(str(tmp_path), made())
    ((was, claim),) = left(str(tmp_path))
    assert was == made()
    with pytest.raises(KernelOwned):
        Claim(directory(tmp_path))
    claim.remove()
    assert list(recorded(str(tmp_path))) == [] and not directory(tmp_path).exists()


def test_a_look_whether_a_kernel_has_an_owner_keeps_nobody_from_it(tmp_path, monkeypatch):
    Claim(directory(tmp_path)).release()
    looking = os.open(directory(tmp_path) / LOCK, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(locks.time, "sleep", lambda seconds: os.close(looking))
    assert Claim(directory(tmp_path)).is_held


def test_a_directory_whose_process_ended_before_it_wrote_anything_is_removed(tmp_path):
    Claim(directory(tmp_path)).release()
    assert list(left(str(tmp_path))) == [] and not directory(tmp_path).exists()


@pytest.mark.parametrize("kernel_id", ["", "..", "a/b", "a" * 65])
def test_no_kernels_id_leads_out_of_the_state_directory(tmp_path, kernel_id):
    with pytest.raises(ValueError, match="no id of a kernel"):
        of_kernel(str(tmp_path), kernel_id)


def test_the_last_of_many_changes_is_what_is_written(tmp_path):
    async def scenario():
        now = [made()]
        keeper = Keeper(Claim(directory(tmp_path)), lambda: now[0])
        for number in range(20):
            now[0] = made(session=Session(str(number), "a", "a", "notebook"))
            keeper.remember()
            await asyncio.sleep(0)
        await keeper.leave()
        keeper.remember()
        await keeper.written()

    asyncio.run(scenario())
    assert record.read(directory(tmp_path)).session.id == "19"
    assert not is_owned(str(tmp_path), made())


def test_a_disk_that_is_full_is_logged_and_harms_nobody(tmp_path, monkeypatch, caplog):
    def full(*args):
        raise OSError(28, "No space left on device")

    async def scenario():
        keeper = Keeper(Claim(directory(tmp_path)), made)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            keeper.remember()
            await keeper.written()
        keeper.remember()
        await keeper.leave()

    asyncio.run(scenario())
    assert "No space left" in caplog.text
    assert record.read(directory(tmp_path)) == made()
