"""What the tools say of an image that cannot be had, in the user's words."""

import pytest

from jupyter_hpcctr.core.request import ImageRef
from jupyter_hpcctr.errors import CommandError
from jupyter_hpcctr.images import fetch

SOURCE = fetch.Source(ImageRef("registry.example.org/a/b:1"), plain_http=False)
INSPECT = ("skopeo", "inspect", "--raw", "docker://registry.example.org/a/b:1")
COPY = ("skopeo", "--override-os", "linux", "copy", "--quiet", "docker://registry.example.org/a/b:1", "oci:x")
UNPACK = ("umoci", "raw", "unpack", "--rootless", "--image", "x:image", "root")
BLOB = "blobs/sha256/" + "0" * 64
# As skopeo 1.9 and umoci 0.4 write them.
SAID = [
    (INSPECT, "pinging registry h: invalid status code from registry 403 (Forbidden)", "wants a login", False),
    (INSPECT, "reading manifest 1 in h/a/b: denied", "wants a login", False),
    (INSPECT, "reading manifest 1 in h/a/b: StatusCode: 403, <html>no</html>", "wants a login", False),
    (INSPECT, "invalid status code from registry 401 (Unauthorized)", "wants a login", False),
    (INSPECT, "received unexpected HTTP status: 429 Too Many Requests", "no more requests", True),
    (INSPECT, "toomanyrequests: You have reached your pull rate limit.", "no more requests", True),
    (INSPECT, "invalid status code from registry 500 (Internal Server Error)", "a fault of its own", True),
    (INSPECT, "reading manifest 1 in h/a/b: received unexpected HTTP status: 502 Bad Gateway",
     "a fault of its own", True),
    (COPY, "reading blob sha256:1: fetching blob: received unexpected HTTP status: 503 Service Unavailable",
     "a fault of its own", True),
    (COPY, "reading blob sha256:1: fetching blob: unauthorized: authentication required", "wants a login", False),
    (COPY, "fetching blob: blob unknown to registry", "is not whole", False),
    (COPY, f"open /i/{BLOB}: no such file or directory", "is not whole", False),
    (INSPECT, f"open /i/{BLOB}: no such file or directory", "is not whole", False),
    (INSPECT, "open /i/index.json: no such file or directory", "no such image", False),
    (INSPECT, "reading manifest 1 in h/a/b: manifest unknown", "no such image", False),
    (UNPACK, "unpack entry: usr/b: link usr/a: no such file or directory", "a link to a file that is not there", False),
    (UNPACK, "mkdir d/d/d: file name too long", "longer than this system's limit", False),
    (COPY, "write /tmp/x: no space left on device", "no room", False),
    (INSPECT, "dial tcp: lookup h: no such host", "does not answer", True),
]  # fmt: skip


@pytest.mark.parametrize(("words", "stderr", "meaning", "transient"), SAID)
def test_what_a_tool_says_is_a_sentence_with_a_hint(monkeypatch, words, stderr, meaning, transient):
    def check(command, **how):
        assert how["mortal"], "it ends with the pull"
        raise CommandError(f"{words[0]} failed with status 1: {stderr}", returncode=1, stderr=stderr)

    monkeypatch.setattr(fetch.process, "check", check)
    with pytest.raises(fetch.ImageError) as told:
        fetch._tool(words, SOURCE, None, timeout_s=1)
    assert meaning in told.value.message
    assert told.value.message.startswith("registry.example.org/a/b:1: ")
    assert stderr not in told.value.message
    assert told.value.hint
    assert told.value.transient is transient
