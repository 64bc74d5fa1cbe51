"""What is asked for is parsed into values or refused with the field's name."""

import pytest

from jupyter_hpcctr.core.amounts import megabytes, minutes
from jupyter_hpcctr.core.request import ImageRef, KernelRequest, Resources, parse, to_dict
from jupyter_hpcctr.errors import RequestError
from jupyter_hpcctr.protocol.container import Mount

FULL = {
    "image": "registry.example.org:5000/group/name:1.0",
    "engine": "charliecloud",
    "scheduler": "slurm",
    "nodes": 2,
    "ntasks-per-node": "4",
    "cpus_per_task": 2,
    "mem": "4G",
    "gpus_per_node": "a100:2",
    "time": "1-02:00:00",
    "partition": "debug",
    "account": "proj-1",
    "constraint": "skylake&ib",
    "mounts": ["/scratch/a b", "/data:/in:ro"],
    "env": {"OMP_NUM_THREADS": "2"},
}


def test_a_full_request_is_read_as_one_value():
    assert parse(FULL) == KernelRequest(
        image=ImageRef("registry.example.org:5000/group/name:1.0"),
        engine="charliecloud",
        scheduler="slurm",
        resources=Resources(
            nodes=2,
            ntasks_per_node=4,
            cpus_per_task=2,
            mem_mb=4096,
            gpus_per_node=2,
            gpu_type="a100",
            time_minutes=26 * 60,
            partition="debug",
            account="proj-1",
            constraint="skylake&ib",
        ),
        mounts=(Mount("/scratch/a b", "/scratch/a b"), Mount("/data", "/in", True)),
        env={"OMP_NUM_THREADS": "2"},
    )


@pytest.mark.parametrize("raw", [{}, FULL, {"argv": ["R", "{connection_file}"], "python": "python3.12"}])
def test_a_request_survives_being_written_down(raw):
    assert parse(to_dict(parse(raw))) == parse(raw)


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ({"imaeg": "x"}, "imaeg"),
        ({"image": "-v"}, "-v"),
        ({"image": "r/UPPER"}, "UPPER"),
        ({"image": "a\nb"}, "image"),
        ({"image": 3}, "image"),
        ({"nodes": 0}, "nodes"),
        ({"nodes": True}, "nodes"),
        ({"nodes": "two"}, "nodes"),
        ({"mem": "lots"}, "lots"),
        ({"mem": "0"}, "'0'"),
        ({"time": "soon"}, "soon"),
        ({"time": 0}, "above zero"),
        ({"time": True}, "True"),
        ({"gpus_per_node": "x y:1"}, "gpus_per_node"),
        ({"gpus_per_node": -1}, "gpus_per_node"),
        ({"partition": "a b"}, "partition"),
        ({"partition": "-p"}, "partition"),
        ({"account": "a\nb"}, "account"),
        ({"mounts": ["relative"]}, "relative"),
        ({"mounts": ["/a/../b"]}, "/a/../b"),
        ({"mounts": ["/a:/b:rx"]}, "/a:/b:rx"),
        ({"mounts": "/a"}, "mounts"),
        ({"env": {"1A": "x"}}, "1A"),
        ({"env": {"A": "x\ny"}}, "A"),
        ({"env": ["A=1"]}, "env"),
        ({"argv": ["a\0b"]}, "argv"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_name(raw, word):
    with pytest.raises(RequestError) as refusal:
        parse(raw)
    assert word in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5", 5), (90, 90), ("5:30", 6), ("2:00:00", 120), ("1-0", 1440), ("1-01:01", 1501), ("0-00:00:01", 1)],
)
def test_time_limits_are_read_as_sbatch_writes_them(text, expected):
    assert minutes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("4G", 4096), ("512", 512), ("2048K", 2), ("1T", 1048576), ("3GB", 3072)]
)
def test_memory_is_read_as_sbatch_writes_it(text, expected):
    assert megabytes(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "alpine", "library/alpine:3", "localhost:5000/a/b_c:T-1.x", "[::1]:5000/a", "h.example/a@sha256:" + "0" * 64,
        "oci:/some dir/with space:tag", "oci-archive:/a.tar", "docker-archive:x.tar",
    ],
)  # fmt: skip
def test_references_of_the_grammar_are_taken(text):
    assert ImageRef(text).text == text
