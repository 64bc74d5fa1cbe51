"""What must stay secret stays so, and who may not speak is not heard: on real kernels, jobs and sockets."""

import contextlib
import json
import os
import secrets
import stat
import subprocess
import time
from pathlib import Path

import pytest
import zmq
from support.kernels import Running, site_of
from support.slurm import base_environment
from support.waiting import listening
from zmq.utils.monitor import recv_monitor_message

from jupyter_hpcctr.core import plan as planning
from jupyter_hpcctr.delivery.kept import Kept
from jupyter_hpcctr.delivery.parcel import opened, sealed, wrapped
from jupyter_hpcctr.delivery.session import Session

BARE = {"engine": "bare", "scheduler": "slurm"}
TOKENS = ("JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "JUPYTER_TOKEN", "AWS_SECRET_ACCESS_KEY")
FAILED = (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, zmq.EVENT_HANDSHAKE_FAILED_AUTH)


@pytest.fixture(scope="module")
def tokens():
    """Secrets in the environment of a server, here this process, whose umask lets others read."""
    found = {name: secrets.token_hex(20) for name in TOKENS}
    before = os.umask(0o022)
    yield found
    os.umask(before)


@pytest.fixture(scope="module")
def shared(slurm, tokens, image_policy):
    """One site for all tests."""
    with site_of(base_environment() | slurm.env | tokens | {"JPY_PARENT_PID": str(os.getpid())}) as made:
        made.configure(store=image_policy.store)
        yield made


@pytest.fixture(autouse=True)
def site(shared, clean_environment):
    with shared.entered():
        yield shared


@contextlib.contextmanager
def running(site, **request):
    """Start a kernel and wait until it runs: the front alone answers before."""
    made = Running(site.manager(**request), cwd=site.cwd)
    try:
        assert made.value("1") == 1
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def bare(shared):
    """A kernel that no test may end."""
    with running(shared, **BARE) as made:
        yield made


@pytest.fixture(scope="module")
def contained(shared, kernel_image):
    """As ``bare``, in the image."""
    with running(shared, image=kernel_image.reference, engine="charliecloud", scheduler="slurm") as made:
        yield made


@pytest.fixture(params=["bare", "contained"])
def kernel(request):
    return request.getfixturevalue(request.param)


def entrusted(kernel):
    """What the kernel's agent was given."""
    return json.loads(Path(kernel.launch.plan.secret_file).read_text())


@pytest.fixture
def hidden(kernel, tokens):
    """Everything that nobody may see, as bytes by name."""
    given = entrusted(kernel)
    server = kernel.launch._hub.link._keys
    assert server.public == given["link"]["server_key"]
    found = {"the kernel's": given["kernel_key"], "the agent's": given["link"]["secret_key"], "ours": server.secret}
    assert kernel.manager.session.key.decode() == found["the kernel's"]
    return {name: value.encode() for name, value in {**found, **tokens}.items()}


def told(hidden, data):
    """The names of the secrets in these bytes."""
    return [name for name, value in hidden.items() if value in data]


def processes(what):
    """Pairs of a process's id and one of its files in /proc, of every process that lets us read it."""
    for path in Path("/proc").glob(f"[0-9]*/{what}"):
        try:
            yield int(path.parent.name), path.read_bytes()
        except OSError:
            continue


def of_job(job):
    """The ids of a job's processes: all have the job's id in their environment."""
    return [pid for pid, environ in processes("environ") if f"SLURM_JOB_ID={job}".encode() in environ.split(b"\0")]


def test_no_secret_is_in_a_command_line_or_an_environment(kernel, hidden):
    assert len(of_job(kernel.launch.job)) >= 2, "the agent and the kernel"
    assert [(pid, told(hidden, data)) for pid, data in processes("cmdline") if told(hidden, data)] == []
    assert [(pid, told(hidden, data)) for pid, data in processes("environ") if told(hidden, data)] == []
    inside = kernel.value("dict(__import__('os').environ)")
    assert [name for name in TOKENS if name in inside] == []


def test_no_secret_is_in_what_slurm_knows_and_keeps(kernel, hidden, slurm):
    job = kernel.launch.job
    for words in (["scontrol", "show", "job", "-dd", job], ["scontrol", "write", "batch_script", job, "-"]):
        done = subprocess.run(words, capture_output=True, check=True)
        assert told(hidden, done.stdout + done.stderr) == []
    assert b"agent" in done.stdout, "this is the script that the job runs"
    kept = [path for path in slurm.directory.rglob("*") if path.is_file() and os.access(path, os.R_OK)]
    assert [path for path in kept if f"job.{job}" in str(path) or f"job{int(job):05d}" in str(path)]
    assert [(path, told(hidden, path.read_bytes())) for path in kept if told(hidden, path.read_bytes())] == []


def test_no_secret_is_in_the_plan_and_the_log(kernel, hidden):
    plan = kernel.launch.plan
    assert told(hidden, planning.to_json(plan).encode()) == []
    kernel.run("import sys; print('on the log', file=sys.__stderr__)")
    assert told(hidden, Path(plan.log_file).read_bytes()) == []


def test_secrets_are_in_private_files_alone_whatever_the_umask(kernel, hidden, site):
    plan = kernel.launch.plan
    holding = {path for path in site.directory.rglob("*") if path.is_file() and told(hidden, path.read_bytes())}
    assert Path(plan.secret_file) in holding
    assert [path for path in holding if path.stat().st_mode & 0o077] == []
    front = Path(kernel.launch.connection_info["ip"]).parent
    places = (site.state / "jobs", Path(plan.job_dir), Path(plan.run_dir), front)
    for place in places[1:]:
        expected = 0o500 if place == front else 0o700  # nobody may remove the front's sockets
        assert stat.S_IMODE(place.lstat().st_mode) == expected, place
    found = {path for place in places for path in place.rglob("*") if path.is_dir() or path.is_file()}
    found = {path for path in found if not path.is_symlink()}  # whose mode says nothing
    assert Path(plan.secret_file) in found
    assert [(path, oct(path.lstat().st_mode)) for path in found if path.lstat().st_mode & 0o077] == []


def test_the_servers_parent_is_not_taken_for_the_kernels(kernel):
    assert os.environ["JPY_PARENT_PID"] == str(os.getpid())
    parent = kernel.value("__import__('os').environ.get('JPY_PARENT_PID')")
    assert parent != str(os.getpid())


def test_the_link_listens_on_one_address_and_the_job_on_none(kernel):
    (endpoint,) = entrusted(kernel)["link"]["addresses"]
    ip, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    as_kernel_has_it = "".join(f"{int(part):02X}" for part in reversed(ip.split(".")))
    assert ip != "0.0.0.0"
    assert listening([os.getpid()]) == {(as_kernel_has_it, int(port))}


def test_the_job_listens_on_no_port_and_forks_are_heard_all_the_same(kernel):
    assert listening(of_job(kernel.launch.job)) == set()
    code = "import os\nif os.fork() == 0:\n    print('from a fork', flush=True)\n    os._exit(0)\nos.wait()"
    kernel.client.execute(code)
    until = time.monotonic() + 20
    while True:
        message = kernel.client.get_iopub_msg(timeout=until - time.monotonic())
        if message["msg_type"] == "stream" and "from a fork" in message["content"]["text"]:
            break


class Caller:
    """Somebody who dials the link."""

    def __init__(self, kind, address, **options):
        self._context = zmq.Context()
        self.socket = self._context.socket(kind)
        self.socket.linger = 0
        for name, value in options.items():
            setattr(self.socket, name, value)
        if kind == zmq.SUB:
            self.socket.subscribe(b"")
        handshakes = zmq.EVENT_HANDSHAKE_SUCCEEDED
        for event in FAILED:
            handshakes |= event
        self._monitor = self.socket.get_monitor_socket(handshakes)
        self.socket.connect(address)

    def handshake(self):
        """The event that says how the handshake went."""
        assert self._monitor.poll(15_000), "neither let in nor refused"
        return recv_monitor_message(self._monitor)["event"]

    def hears(self):
        return bool(self.socket.poll(1000))

    def next(self):
        """The next message of the link: its head, its frames."""
        assert self.socket.poll(15_000), "the link says nothing"
        return opened(self.socket.recv_multipart(copy=False))

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.socket.disable_monitor()
        self._monitor.close()
        self.socket.close()
        self._context.term()


def curve(server_key, public, secret):
    return {
        "curve_serverkey": server_key.encode(),
        "curve_publickey": public.encode(),
        "curve_secretkey": secret.encode(),
    }


BYE = [b"event", json.dumps({"event": "exited", "code": 7, "ready": True, "start": 1}).encode()]


@pytest.mark.parametrize("who", ["no key", "a key of his own", "a wrong key of the server", "the agent's public key"])
def test_who_has_no_key_of_a_job_gets_nothing_and_is_not_heard(bare, who):
    link = entrusted(bare)["link"]
    public, secret = (key.decode() for key in zmq.curve_keypair())
    keys = {
        "no key": {},
        "a key of his own": curve(link["server_key"], public, secret),
        "a wrong key of the server": curve(public, link["public_key"], link["secret_key"]),
        "the agent's public key": curve(link["server_key"], link["public_key"], secret),
    }[who]
    for kind in (zmq.DEALER, zmq.SUB, zmq.ROUTER):
        with Caller(kind, link["addresses"][0], **keys) as caller:
            assert caller.handshake() in FAILED
            if kind == zmq.DEALER:
                with contextlib.suppress(zmq.Again):
                    caller.socket.send_multipart(BYE, zmq.DONTWAIT)
            assert bare.value("40 + 2") == 42
            assert not caller.hears()
            assert bare.launch.exit_code is None


def test_an_agent_is_heard_for_its_own_kernel_alone(site, bare):
    with running(site, **BARE) as ours:
        speaks_as_another(ours, bare)


def speaks_as_another(ours, other):
    given, server = entrusted(ours)["link"], ours.launch._hub.link
    assert given["server_key"] == entrusted(other)["link"]["server_key"]
    route = server._allowed.peers[entrusted(other)["link"]["public_key"]].route
    name = route.lstrip(b"\0") or b"x"
    keys = curve(given["server_key"], given["public_key"], given["secret_key"])
    with Caller(zmq.DEALER, given["addresses"][0], routing_id=name, **keys) as caller:
        assert caller.handshake() == zmq.EVENT_HANDSHAKE_SUCCEEDED
        session = Session(Kept("/nonexistent"), lambda frames: caller.socket.send_multipart(sealed(frames)) is None)
        session.greet(connection=1_000_000)
        session.receive(*caller.next())
        session.put(wrapped(BYE))
        code = None
        for _ in range(100):
            code = code or ours.launch.exit_code
            if code is not None:
                break
            assert other.value("1") == 1
        assert code == 7
        assert other.value("40 + 2") == 42
        assert other.launch.exit_code is None
        while caller.hears():
            assert session.receive(*caller.next()) is None, "what is meant for the other kernel"
