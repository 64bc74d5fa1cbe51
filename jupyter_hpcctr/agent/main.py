"""The kernel's parent in the job: it starts the container, owns the kernel and dials the server.

One thread, one poll loop. It knows no engine and no scheduler: the plan holds the words.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import zmq

from . import env as environment
from .channels import PORTS, Channels, kernel_info
from .children import Child

log = logging.getLogger("hpcctr.agent")

HOLDER_PID = "@HOLDER_PID@"
BEAT_S = 10.0
START_TICK_MS, IDLE_TICK_MS = 5, 1000
HOLD_PATIENCE_S = 60.0
# What an engine's own command needs of the host: never TMPDIR, which ch-run(1) would show as /tmp.
_HOST_ENV = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "XDG_RUNTIME_DIR", "SLURM_*", "LD_LIBRARY_PATH")


class Agent:
    """Carries out one plan until the server, the scheduler or the kernel ends it."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._plan: Mapping[str, Any] = config["plan"]
        self._key = str(config["kernel_key"]).encode()
        self._orphan_s = float(config["orphan_seconds"])
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._poller = zmq.Poller()
        self._link = self._dial(config["link"])
        self._run_dir = str(self._plan["run_dir"])
        self._kernel_dir = f"{self._run_dir}/kernel"
        self._channels = Channels(self._context, self._kernel_dir, self._plan["kernel_dir"], self._key)
        self._holder: Child | None = None
        self._kernel: Child | None = None
        self._holder_pid = ""
        self._ready = False
        self._informed: dict[str, Any] | None = None
        self._over: str | None = None
        self._status = 0
        self._last_heard = self._last_beat = self._last_nudge = self._holding_since = time.monotonic()
        self._process_env: dict[str, str] = {}
        self._container_env: dict[str, str] = {}

    def run(self) -> int:
        """Work until it is over; return the exit status for the job."""
        wakeup = self._catch_signals()
        try:
            self._say("hello", host=socket.gethostname(), node=os.environ.get("SLURMD_NODENAME", ""))
            self._make_ready()
            self._hold()
            while self._over is None:
                self._turn(wakeup)
        finally:
            self._leave()
        return self._status

    # -- setting up

    def _dial(self, link: Mapping[str, Any]) -> zmq.Socket[bytes]:
        dealer = self._context.socket(zmq.DEALER)
        dealer.curve_serverkey = str(link["server_key"]).encode()
        dealer.curve_publickey = str(link["public_key"]).encode()
        dealer.curve_secretkey = str(link["secret_key"]).encode()
        dealer.linger = 1000
        dealer.rcvhwm = 0
        dealer.reconnect_ivl, dealer.reconnect_ivl_max = 100, 5000
        dealer.heartbeat_ivl, dealer.heartbeat_timeout = 10_000, 30_000
        for address in link["addresses"]:
            dealer.connect(address)
        self._poller.register(dealer, zmq.POLLIN)
        return dealer

    def _catch_signals(self) -> int:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for signum in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, lambda number, _: self._finish(f"signal {number}", 128 + number))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._poller.register(reading, zmq.POLLIN)
        return reading

    def _make_ready(self) -> None:
        sweep(self._run_dir)
        # Exclusive: a directory that is already there was made by somebody else for us to fall into.
        os.mkdir(self._run_dir, 0o700)
        os.symlink(str(os.getpid()), f"{self._run_dir}/agent")
        for directory in self._plan["directories"]:
            os.makedirs(directory, 0o700, exist_ok=True)
        self._container_env = environment.compose(
            self._plan["env"], os.environ, self._plan["pass_env"], self._plan["drop_env"]
        )
        self._process_env = environment.compose({}, os.environ, _HOST_ENV, ())
        fd = os.open(f"{self._run_dir}/env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(environment.lines(self._container_env))

    def _hold(self) -> None:
        if self._plan["hold"] is not None:
            self._holder = self._start(self._plan["hold"])
            self._holding_since = time.monotonic()
        else:
            self._start_kernel()

    def _start(self, command: Mapping[str, Any]) -> Child:
        words = [word.replace(HOLDER_PID, self._holder_pid) for word in command["argv"]]
        if command["reads_env_file"]:
            return Child(words, env=self._process_env, cwd=self._run_dir)
        return Child(words, env={**self._process_env, **self._container_env}, cwd=self._plan["workdir"])

    def _start_kernel(self) -> None:
        self._ready = False
        for name in self._channels.sockets:
            self._poller.unregister(self._channels.sockets[name])
        self._channels.prepare()
        self._kernel = self._start(self._plan["kernel"])

    # -- the loop

    def _turn(self, wakeup: int) -> None:
        events = dict(self._poller.poll(IDLE_TICK_MS if self._ready else START_TICK_MS))
        if wakeup in events:
            while _read(wakeup):
                pass
        if self._link in events:
            self._from_server()
        for name, each in tuple(self._channels.sockets.items()):
            if each in events:
                self._from_kernel(name)
        self._look_after_children()
        if not self._ready:
            self._bring_up()
        self._keep_in_touch()

    def _bring_up(self) -> None:
        if self._kernel is None and self._holder is not None:
            self._await_holder()
        if self._kernel is None or not self._channels.connect():
            return
        now = time.monotonic()
        if self._channels.sockets["shell"] not in dict(self._poller.sockets):
            for each in self._channels.sockets.values():
                self._poller.register(each, zmq.POLLIN)
            self._last_nudge = 0.0
        if now - self._last_nudge > 0.2:
            self._channels.nudge()
            self._last_nudge = now

    def _await_holder(self) -> None:
        try:
            with open(f"{self._kernel_dir}/holder.pid", encoding="ascii") as file:
                self._holder_pid = file.read().strip()
        except FileNotFoundError:
            if time.monotonic() - self._holding_since > HOLD_PATIENCE_S:
                self._fail(f"the container did not start in {HOLD_PATIENCE_S:g} s")
            return
        self._say("image")
        self._start_kernel()

    def _look_after_children(self) -> None:
        if self._kernel is not None and (code := self._kernel.code) is not None:
            self._kernel = None
            for name in tuple(self._channels.sockets):
                self._from_kernel(name, most=1_000_000)
            self._say("exited", code=code, ready=self._ready)
            if not self._ready:
                self._finish(f"the kernel ended with status {code} before it was ready", 1)
        if self._holder is not None and (code := self._holder.code) is not None and self._over is None:
            self._fail(f"the container ended with status {code}")

    def _from_server(self) -> None:
        while self._over is None:
            try:
                channel, *frames = self._link.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            self._last_heard = time.monotonic()
            if channel.bytes == b"command":
                self._obey(json.loads(frames[0].bytes))
            else:
                self._channels.send(channel.bytes.decode(), frames)

    def _obey(self, what: Mapping[str, Any]) -> None:
        command = what["command"]
        if command == "signal" and self._kernel is not None:
            self._kernel.signal(int(what["signum"]))
        elif command == "restart":
            if self._kernel is not None:
                self._kernel.end(patience_s=0)
                self._kernel = None
            self._start_kernel()
        elif command == "end":
            self._finish("the server ended it", 0)

    def _from_kernel(self, name: str, *, most: int = 100) -> None:
        label = name.encode()
        for frames in self._channels.receive(name, most=most):
            if name == "shell" and not self._ready and (info := kernel_info(frames, self._key)) is not None:
                self._informed = info
            elif name != "shell" or kernel_info(frames, self._key) is None:
                self._link.send_multipart([label, *frames], copy=False)
        if not self._ready and self._informed is not None and self._channels.heard:
            self._ready = True
            self._say("ready", info=self._informed)
            self._informed = None

    def _keep_in_touch(self) -> None:
        now = time.monotonic()
        if now - self._last_beat > BEAT_S:
            self._last_beat = now
            self._say("beat")
        if now - self._last_heard > self._orphan_s:
            self._finish(f"no server for {self._orphan_s:g} s", 75)

    # -- the end

    def _say(self, event: str, **more: Any) -> None:
        self._link.send_multipart([b"event", json.dumps({"event": event, **more}).encode()])

    def _fail(self, why: str) -> None:
        self._say("failed", why=why)
        self._finish(why, 1)

    def _finish(self, why: str, status: int) -> None:
        if self._over is None:
            self._over, self._status = why, status

    def _leave(self) -> None:
        for child in (self._kernel, self._holder):
            if child is not None:
                child.end(patience_s=0.5 if child is self._kernel else 0.2)
        shutil.rmtree(self._run_dir, ignore_errors=True)
        self._say("bye", why=self._over or "the agent failed")
        self._channels.close()
        self._link.close()
        self._context.term()


def sweep(run_dir: str) -> None:
    """Remove what agents of this user left on this node that were killed before they could tidy up.

    ``run_dir`` is ``…/hpcctr-UID-TOKEN``; each names its agent's process by a link.
    """
    parent, _, name = run_dir.rpartition("/")
    prefix = name.rpartition("-")[0] + "-"
    for other in os.listdir(parent):
        path = f"{parent}/{other}"
        if not other.startswith(prefix):
            continue
        try:
            gone = os.lstat(path).st_uid == os.getuid() and not os.path.exists(f"/proc/{os.readlink(f'{path}/agent')}")
        except OSError:  # made by somebody else, or this moment
            continue
        if gone:
            shutil.rmtree(path, ignore_errors=True)


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 4096)
    except BlockingIOError:
        return b""


def main(argv: Sequence[str]) -> int:
    """Read the secret file that is named on the command line, and work."""
    logging.basicConfig(level=logging.INFO, format="hpcctr agent: %(message)s", stream=sys.stderr)
    try:
        with open(argv[1], encoding="utf-8") as file:
            config = json.load(file)
    except (OSError, ValueError) as error:
        log.error("the launch's file cannot be read: %s", error)
        return 66
    return Agent(config).run()


__all__ = ["PORTS", "Agent", "main"]
