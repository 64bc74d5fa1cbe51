"""A job's log keeps its beginning and its end, whatever is printed and whatever the disk refuses."""

import errno
import os
import subprocess
import sys

import pytest
from support.waiting import state_of, wait_until

from jupyter_hpcctr.agent import logfile
from jupyter_hpcctr.agent.logfile import GAP_BYTES, LogFile, gap
from jupyter_hpcctr.agent.logpipe import LogPipe
from jupyter_hpcctr.launch.joblog import JobLog

LINE = b"%07d\n"
ON_A_FULL_DISK = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]


@pytest.fixture
def path(tmp_path):
    (tmp_path / "job.log").touch()
    return tmp_path / "job.log"


def lines(first, last):
    return b"".join(LINE % number for number in range(first, last))


def kept_of(text):
    """What a log has before and behind its gap."""
    at, missing = gap(text)
    return text[:at], missing, text[at + GAP_BYTES :]


def test_a_short_log_is_whole(path):
    log = LogFile(str(path), head=800, tail=800)
    log.add(lines(0, 100))
    assert log.flush()
    log.add(lines(100, 200))
    assert log.flush()
    assert path.read_bytes() == lines(0, 200)


def test_a_long_log_keeps_its_beginning_and_its_end_and_says_how_much_is_missing(path):
    log = LogFile(str(path), head=800, tail=800)
    for start in range(0, 10_000, 50):
        log.add(lines(start, start + 50))
        log.flush()
        assert path.stat().st_size <= 800 + 2 * 800 + GAP_BYTES
    before, missing, after = kept_of(path.read_bytes())
    assert before == lines(0, 100)
    assert lines(0, 10_000).endswith(after)
    assert len(after) >= 700
    assert len(before) + missing + len(after) == len(lines(0, 10_000))


def test_a_flood_waits_in_memory_up_to_a_bound(path):
    log = LogFile(str(path), head=800, tail=800)
    log.add(lines(0, 100))
    log.flush()
    for start in range(100, 10_000, 50):
        log.add(lines(start, start + 50))
        log.flush(thorough=False)
    assert path.stat().st_size <= 800 + 2 * 800
    log.flush()
    before, missing, after = kept_of(path.read_bytes())
    assert (before, after) == (lines(0, 100), lines(9901, 10_000))
    assert len(before) + missing + len(after) == len(lines(0, 10_000))


def test_the_schedulers_own_words_stay_in_a_log_that_is_shortened(path):
    path.write_bytes(b"first words\n")
    log = LogFile(str(path), head=800, tail=800)
    log.add(lines(0, 250))
    log.flush()
    with path.open("ab") as file:
        file.write(b"slurmstepd: CANCELLED\n")
    log.add(lines(250, 330))
    log.flush()
    before, _, after = kept_of(path.read_bytes())
    assert before.startswith(b"first words\n")
    assert b"slurmstepd: CANCELLED\n" in after
    assert after.endswith(lines(250, 330))


def test_a_gap_is_where_readers_look_for_it_on_a_full_disk_too(path, monkeypatch):
    log = LogFile(str(path), head=8000, tail=8000)
    for start in range(0, 2900, 100):
        log.add(lines(start, start + 100))
        log.flush()
    assert path.stat().st_size == 23_200

    def full(fd, text):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", full)
    log.add(lines(2900, 2950))
    log.flush()
    before, missing, after = kept_of(path.read_bytes())
    assert len(before) == 8000
    assert after.endswith(lines(2900, 2950))
    assert len(before) + missing + len(after) == len(lines(0, 2950))


def test_who_goes_on_with_a_log_knows_what_was_missing(path):
    for start in (0, 1000):
        log = LogFile(str(path), head=800, tail=800)
        for begin in range(start, start + 1000, 50):
            log.add(lines(begin, begin + 50))
            log.flush()
    before, missing, after = kept_of(path.read_bytes())
    assert len(before) + missing + len(after) == len(lines(0, 2000))


def test_a_log_whose_directory_is_removed_is_written_no_more_and_bothers_nobody(path):
    log = LogFile(str(path))
    log.add(b"one\n")
    log.flush()
    path.unlink()
    path.parent.rmdir()
    log.add(b"two\n")
    assert log.flush()
    gone = LogFile(str(path))
    gone.add(b"three\n")
    assert not gone.flush()
    assert gone.trouble == os.strerror(errno.ENOENT)
    path.parent.mkdir()
    path.touch()
    assert gone.flush()
    assert path.read_bytes() == b"three\n"


FULL = """
import os, sys
from jupyter_hpcctr.agent.logfile import LogFile
log = LogFile("job.log", head=40_000, tail=40_000)
def lines(first, last):
    return b"".join(b"%07d\\n" % number for number in range(first, last))
log.add(lines(0, 2000))
log.flush()
assert not log.trouble, log.trouble
with open("other", "wb", buffering=0) as other:
    try:
        while other.write(bytes(1000)): pass
    except OSError as error:
        full = error.strerror
for start in range(2000, 6000, 100):
    log.add(lines(start, start + 100))
    log.flush()
    assert log.trouble == full
sys.stdout.buffer.write(open("job.log", "rb").read())
sys.stdout.flush()
os.unlink("other")
log.add(lines(6000, 6100))
log.flush()
assert not log.trouble, log.trouble
sys.stderr.buffer.write(open("job.log", "rb").read())
"""


def test_on_a_full_disk_the_newest_takes_the_place_of_what_the_log_had():
    script = 'mount -t tmpfs -o size=128k none /mnt && cd /mnt && : > job.log && exec "$0" -c "$1"'
    words = [*ON_A_FULL_DISK, script, sys.executable, FULL]
    done = subprocess.run(words, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    before, missing, after = kept_of(done.stdout)
    assert lines(0, 2000).startswith(before)
    assert len(before) > 6000
    assert lines(0, 6000).endswith(after)
    assert len(after) > 6000
    assert len(before) + missing + len(after) == len(lines(0, 6000))
    assert done.stderr.endswith(lines(5900, 6100)), "it goes on when there is room again"


@pytest.fixture
def pipe(path):
    made = LogPipe(str(path))
    yield made
    for each in (made.output, made._reading, made._news, made._news_end, made._life_end):
        os.close(each)


def test_what_programs_print_is_in_the_log_when_the_agent_ends(pipe, path):
    pipe.turn(pytest.fail)
    subprocess.run(["seq", "200000"], stdout=pipe.output, check=True)
    pipe.close()
    text = path.read_bytes()
    assert text.startswith(b"1\n2\n3\n")
    assert text.endswith(b"199999\n200000\n")


def test_a_program_that_writes_the_log_is_started_again(pipe, path):
    pipe.turn(pytest.fail)
    first = pipe._writer
    os.write(pipe.output, b"one\n")
    wait_until(lambda: path.read_bytes() == b"one\n", "the first line")
    first.signal(9)
    os.write(pipe.output, b"two\n")

    def again():
        pipe.turn(pytest.fail)
        return path.read_bytes() == b"one\ntwo\n"

    wait_until(again, "the second line")
    pipe.close()


def test_trouble_with_the_disk_is_told(pipe, path):
    path.unlink()
    said = []
    pipe.turn(said.append)
    os.write(pipe.output, b"one\n")

    def told():
        pipe.turn(said.append)
        return said

    wait_until(told, "the news")
    assert os.strerror(errno.ENOENT) in said[0]
    pipe.close()


def test_it_ends_with_its_agent_although_others_keep_its_pipe(path):
    """Killed, the agent cannot close anything; what it started may go on."""
    code = f"""
import os, time
from jupyter_hpcctr.agent.logpipe import LogPipe
pipe = LogPipe({str(path)!r})
pipe.turn(print)
os.set_inheritable(pipe.output, True)
other = os.posix_spawn("/bin/sh", ["sh", "-c", "exec sleep 60 > /dev/null"], {{}})
print(pipe._writer.pid, other, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == -9
    writer, other = map(int, done.stdout.split())
    wait_until(lambda: state_of(writer) in ("gone", "Z"), "the end of the log's program")
    os.kill(other, 9)


def log_with_a_gap(path):
    """A log from which something is missing, and all that was printed."""
    log = LogFile(str(path))
    for start in range(0, 500_000, 100_000):
        log.add(lines(start, start + 100_000))
        log.flush()
    return log, lines(0, 500_000)


def test_a_reader_gets_a_line_where_something_is_missing_and_goes_on_behind_it(path):
    log, whole = log_with_a_gap(path)
    before, missing, after = kept_of(path.read_bytes())
    reader, text, offset = JobLog(), "", 0
    reader.begin(path)
    while True:
        more, offset = reader.read(offset, 65_536)
        if not more:
            break
        text += more
    assert offset == len(whole)
    note = f"\n[{missing} bytes are missing here: the log keeps its beginning and its end]\n"
    assert text.encode() == before + note.encode() + after
    log.add(lines(0, 10))
    log.flush()
    assert reader.read(offset, 1000) == (lines(0, 10).decode(), offset + 80)


def test_a_reader_who_was_overtaken_is_told_how_much_it_missed(path):
    log = LogFile(str(path))
    log.add(lines(0, 100_000))
    log.flush()
    reader = JobLog()
    reader.begin(path)
    _, offset = reader.read(0, 1_000_000)
    whole = lines(0, 100_000)
    for start in range(100_000, 500_000, 100_000):
        log.add(lines(start, start + 100_000))
        whole += lines(start, start + 100_000)
        log.flush()
    text, after = reader.read(offset + 300_000, 100)
    missed = len(whole) - len(kept_of(path.read_bytes())[2]) - offset - 300_000
    assert text.startswith(f"\n[{missed} bytes are missing here")
    assert text.encode().endswith(whole[after - 100 : after])


def test_the_end_of_a_long_log_outlives_its_file(path):
    _, whole = log_with_a_gap(path)
    reader = JobLog()
    reader.begin(path)
    reader.keep(path)
    path.unlink()
    text, offset = reader.read(0, 1_000_000)
    assert offset == len(whole)
    assert text.encode() == whole[-65_536:]


def test_the_file_has_a_bound_that_the_documentation_can_name():
    assert logfile.HEAD + 2 * logfile.TAIL == 3_000_000
