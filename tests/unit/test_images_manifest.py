"""Indexes, manifests and configs as registries give them."""

import json

import pytest

from jupyter_hpcctr.core.request import ImageRef
from jupyter_hpcctr.errors import ImageError
from jupyter_hpcctr.images import manifest
from jupyter_hpcctr.images.records import canonical

FLAGS = {
    1: "fpu sse sse2",
    2: "fpu sse2 cx16 popcnt sse4_2 ssse3",
    3: "sse2 cx16 popcnt sse4_2 ssse3 avx2 bmi1 bmi2 f16c fma movbe",
    4: "sse2 cx16 popcnt sse4_2 ssse3 avx2 bmi1 bmi2 f16c fma movbe avx512f avx512bw avx512cd avx512dq avx512vl",
}


def index(*platforms):
    """An index whose manifests have the digests d0, d1, …"""
    entries = []
    for number, words in enumerate(platforms):
        system, architecture, *variant = words.split("/")
        platform = {"os": system, "architecture": architecture} | ({"variant": variant[0]} if variant else {})
        entries.append({"digest": f"d{number}", "platform": platform, "annotations": {"n": str(number)}})
    return {"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}


@pytest.mark.parametrize("level", FLAGS)
def test_cpu_level_is_read_from_its_flags(level):
    assert manifest.level_of(f"processor\t: 0\nflags\t\t: {FLAGS[level]}\nprocessor\t: 1\n") == level


def test_cpu_without_flags_is_baseline():
    assert manifest.level_of("Features : fp asimd\n") == 1


@pytest.mark.parametrize(
    ("platforms", "architecture", "level", "chosen"),
    [
        (("linux/arm64", "linux/amd64"), "amd64", 4, "d1"),
        (("linux/amd64/v3", "linux/amd64"), "amd64", 4, "d1"),
        (("linux/amd64/v2", "linux/amd64/v4", "linux/amd64/v3"), "amd64", 3, "d2"),
        (("linux/amd64/v2", "linux/amd64/v4"), "amd64", 4, "d1"),
        (("unknown/unknown", "linux/amd64", "linux/amd64"), "amd64", 1, "d1"),
        (("linux/arm64/v8", "linux/arm/v7"), "arm64", 1, "d0"),
        (("windows/amd64", "linux/amd64/v1"), "amd64", 1, "d1"),
    ],
)
def test_entry_for_this_machine_is_chosen(platforms, architecture, level, chosen):
    found = manifest.choose(index(*platforms), architecture, level)
    assert found.digest == chosen
    assert found.annotations == {"n": chosen[1:]}


def test_refusal_names_what_there_is():
    offered = {**index("linux/arm64/v8", "linux/amd64/v4"), "extra": 1}
    offered["manifests"].append({"digest": "artifact without a platform"})
    with pytest.raises(ImageError, match=r"linux/amd64 \(level v3\), but for linux/arm64/v8, linux/amd64/v4"):
        manifest.choose(offered, "amd64", 3)


def test_digest_is_checked_before_anything_is_parsed():
    text = json.dumps({"a": 1})
    assert manifest.read(text, manifest.digest_of(text)) == {"a": 1}
    with pytest.raises(ImageError, match="has the digest"):
        manifest.read("{not json", manifest.digest_of(text))


@pytest.mark.parametrize("text", ["", "[]", "<html>", '"x"', "{" + " " * manifest.LIMIT_BYTES])
def test_what_is_no_manifest_is_refused(text):
    with pytest.raises(ImageError):
        manifest.read(text)


def test_body_decides_what_is_an_index():
    docker = "application/vnd.docker.distribution.manifest.list.v2+json"
    assert manifest.is_index({"mediaType": docker})
    assert manifest.is_index({"manifests": []})
    oci = "application/vnd.oci.image.manifest.v1+json"
    assert not manifest.is_index({"mediaType": oci, "manifests": []})  # CVE-2021-41190: one body, two readings
    assert not manifest.is_index({"layers": []})


def test_annotations_of_the_index_win_over_the_manifest_and_that_over_labels():
    own = {"annotations": {"b": "manifest", "c": "manifest"}}
    labels = {
        "config": {"Labels": {"a": "label", "b": "label", "c": "label"}, "Env": ["A=1=2", "B", "C="], "Cmd": None}
    }
    found = manifest.config_of(own, labels, {"c": "index"})
    assert found.annotations == {"a": "label", "b": "manifest", "c": "index"}
    assert found.env == {"A": "1=2", "C": ""}
    assert (found.cmd, found.user, found.created) == ((), "", "")


def test_layers_are_measured_and_zstd_is_seen():
    gzip = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": 2}
    zstd = {"mediaType": "application/vnd.oci.image.layer.v1.tar+zstd", "size": 3}
    assert manifest.layers({"layers": [gzip, gzip]}) == (4, False)
    assert manifest.layers({"layers": [gzip, zstd, "nonsense", {"size": "x"}]}) == (5, True)


D = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("python", "docker.io/library/python:latest"),
        ("jupyter/base:2", "docker.io/jupyter/base:2"),
        ("localhost/a", "localhost/a:latest"),
        ("127.0.0.1:5000/a/b:1", "127.0.0.1:5000/a/b:1"),
        ("registry.example.org/a", "registry.example.org/a:latest"),
        (f"registry.example.org/a@{D}", f"registry.example.org/a@{D}"),
        (f"registry.example.org:1/a:tag@{D}", f"registry.example.org:1/a@{D}"),
        ("oci:/a b:1", "oci:/a b:1"),
    ],
)
def test_names_are_written_out(text, whole):
    assert canonical(ImageRef(text)) == whole


def test_local_names_do_not_depend_on_where_one_is(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert canonical(ImageRef("oci:img:1")) == f"oci:{tmp_path}/img:1"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"os": "linux", "architecture": "arm64"}, "linux/arm64, and this machine is linux/amd64"),
        ({"os": "windows", "architecture": "amd64"}, "windows/amd64, and"),
        ({"architecture": "s390x"}, "linux/s390x, and"),
    ],
)
def test_config_for_another_machine_is_refused_whatever_the_manifest_says(config, said):
    with pytest.raises(ImageError, match=said):
        manifest.check_platform(config, "amd64")


@pytest.mark.parametrize("config", [{}, {"os": "linux", "architecture": "amd64"}, {"architecture": "amd64"}])
def test_config_for_this_machine_is_taken(config):
    manifest.check_platform(config, "amd64")
