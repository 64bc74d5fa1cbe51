"""The kernel's parent in the job: it starts the container, owns the kernel and dials the server.

One thread, one poll loop. It knows no engine and no scheduler: the plan names the one, and holds the other's words.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from typing import Any

import zmq

from ..delivery.kept import Kept
from ..errors import EngineError
from ..protocol.values import AgentFile
from . import removal, room, signals, unpacked
from .asked import Asked
from .channels import Channels, kernel_info
from .children import Child
from .container import NodeContainer
from .devices import DevicesMissing
from .doors import Doors
from .doubt import Doubt
from .image import ImageChanged
from .line import Line
from .logpipe import LogPipe
from .output import Output
from .vigil import Vigil

log = logging.getLogger("hpcctr.agent")

START_TICK_MS, SLOW_TICK_MS, IDLE_TICK_MS = 5, 100, 1000
LOOK_MS = 50
HASTE_S = 10.0
HOLD_PATIENCE_S, START_PATIENCE_S = 60.0, 300.0
ORPHANED = 75  # sysexits.h: EX_TEMPFAIL


class Agent:
    """Carries out one plan until the server, the scheduler or the kernel ends it."""

    def __init__(self, path: str, config: AgentFile) -> None:
        self._plan = config.plan
        self._key = config.kernel_key.encode()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._poller = zmq.Poller()
        self._run_dir = self._plan.run_dir
        kept = Kept(f"{self._run_dir}/kept", files=config.keep_bytes)
        self._vigil = Vigil(path, config)
        self._line = Line(self._context, self._poller, self._vigil.link, kept)
        self._output = Output(self._line, self._key)
        self._kernel_dir = f"{self._run_dir}/kernel"
        self._channels = Channels(self._context, self._kernel_dir, self._plan.kernel_dir, self._key)
        self._asked = Asked()
        self._log = LogPipe(self._plan.log_file)
        self._doors = Doors(self._context, config, self._log.output, self._line.say)
        self._doors.register(self._poller)
        plan = self._plan
        self._container = NodeContainer(plan, plan.ranks, run_dir=self._run_dir, workdir=plan.workdir)
        self._holder: Child | None = None
        self._holder_pid = ""
        self._kernel: Child | None = None
        self._ready = False
        self._informed: dict[str, Any] | None = None
        self._exited: dict[str, Any] | None = None
        self._starts = 1
        self._doubt = Doubt()
        self._held_since = self._started = self._next_look = 0.0
        self._server = ""
        self._over: str | None = None
        self._status = 0

    def run(self) -> int:
        """Work until it is over; return the exit status for the job."""
        wakeup = signals.catch(self._finish, self._doors.checkpoint.signal)
        self._poller.register(wakeup, zmq.POLLIN)
        try:
            self._greet()
            self._try(self._set_up)
            while self._over is None:
                self._turn(wakeup)
        finally:
            self._leave()
        return self._status

    def _greet(self) -> None:
        """Tell a server that has not heard of this agent who it is, and what it is at."""
        self._line.say("hello", **room.whereabouts(), run=self._line.name, start=self._starts, ready=self._ready)
        if self._exited is not None:
            self._line.say("exited", **self._exited)
        self._doors.checkpoint.greet()

    # -- setting up

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except (ImageChanged, DevicesMissing, EngineError) as fault:
            self._fail(str(fault))
        except OSError as error:
            self._fail(f"the kernel cannot be started on this node: {error}")

    def _set_up(self) -> None:
        plan = self._plan
        room.make(self._run_dir, plan.directories, removal.carry_out)
        unpacked.lay_holder(self._run_dir)
        self._container.prepare()
        self._doors.open(self._container.image_env)
        if plan.ranks.holder:
            self._held_since = time.monotonic()
            self._holder = self._container.hold(output=self._log.output)
        unpacked.lay_early(self._run_dir)  # while the container starts
        if not plan.ranks.holder:
            self._start_kernel()

    def _start_kernel(self) -> None:
        self._ready, self._informed, self._exited = False, None, None
        self._output.forget()
        self._started = time.monotonic()
        self._doubt = Doubt()
        for each in self._channels.sockets.values():
            self._poller.unregister(each)
        self._doors.end()
        if not os.path.isdir(self._kernel_dir):
            self._rebuild()
            return
        self._channels.prepare()
        words, pid = self._plan.kernel, self._holder_pid
        self._kernel = self._container.start(words, holder_pid=pid, output=self._log.output)
        unpacked.lay_later(self._run_dir)  # while the kernel starts: before this it gets no cell

    def _rebuild(self) -> None:
        """Make the run directory, which somebody has removed, and a container that has it."""
        self._channels.close()
        self._kernel = None
        if self._holder is not None:
            self._holder.end(patience_s=0.2)
            self._holder, self._holder_pid = None, ""
        self._container.remove()
        shutil.rmtree(self._run_dir, ignore_errors=True)
        self._set_up()

    # -- the loop

    def _turn(self, wakeup: int) -> None:
        events = dict(self._poller.poll(self._tick_ms()))
        talking = self._line.talking(events)
        if talking:
            self._from_server()
        for name, each in tuple(self._channels.sockets.items()):
            if each in events:
                talking += 1
                self._from_kernel(name)
        if self._line.server != self._server:
            if self._server:  # the first one hears what was said at the beginning
                self._greet()
                self._output.say_again()
            self._server = self._line.server
        if talking < len(events) or not events or time.monotonic() >= self._next_look:
            self._look_after(events, wakeup)

    def _look_after(self, events: Mapping[object, int], wakeup: int) -> None:
        """See to everything but messages: after each other event, and while messages pass every ``LOOK_MS``."""
        if wakeup in events:
            os.read(wakeup, 4096)
        self._log.turn(self._output.notice)
        self._look_after_children()
        self._doors.turn(kernel=self._kernel, holder_pid=self._holder_pid)
        if not self._ready:
            self._bring_up()
        self._line.turn(events)
        self._vigil.heard(busy=self._output.busy or not self._ready)
        why = self._vigil.over(self._line.silent_s, heard=bool(self._server))
        if why and not self._doors.checkpoint.holds_up():
            self._finish(why, ORPHANED)
        self._next_look = time.monotonic() + min(self._tick_ms(), LOOK_MS) / 1000

    def _tick_ms(self) -> int:
        if self._ready:
            return self._doors.haste_ms or self._doubt.tick_ms or IDLE_TICK_MS
        since = max(self._started, self._held_since)
        return START_TICK_MS if time.monotonic() - since < HASTE_S else SLOW_TICK_MS

    def _bring_up(self) -> None:
        if self._kernel is not None and time.monotonic() - self._started > START_PATIENCE_S:
            self._fail(f"the kernel did not answer in {START_PATIENCE_S:g} s")
        elif self._kernel is None:
            self._await_holder()
        elif self._channels.sockets or self._connect():
            self._channels.nudge()

    def _await_holder(self) -> None:
        if self._holder is None or self._holder_pid:
            return
        try:
            with open(f"{self._kernel_dir}/holder.pid", encoding="ascii") as file:
                self._holder_pid = file.read().strip()
        except FileNotFoundError:
            if time.monotonic() - self._held_since > HOLD_PATIENCE_S:
                self._fail(f"the container did not start in {HOLD_PATIENCE_S:g} s")
            return
        self._line.say("image")
        if why := self._container.fault():
            self._fail(why)
        else:
            self._try(self._start_kernel)

    def _connect(self) -> bool:
        if not self._channels.connect():
            return False
        for each in self._channels.sockets.values():
            self._poller.register(each, zmq.POLLIN)
        return True

    def _look_after_children(self) -> None:
        if self._kernel is not None and (code := self._kernel.code) is not None and not self._in_doubt(code):
            self._kernel = None
            self._doors.end()
            for name in tuple(self._channels.sockets):
                self._from_kernel(name, most=1_000_000)
            self._exited = {"code": code, "ready": self._ready, "start": self._starts}
            self._line.say("exited", **self._exited)
            if not self._ready:
                self._finish(f"the kernel ended with status {code} before it was ready", 1)
        if self._holder is not None and (code := self._holder.code) is not None and self._over is None:
            self._fail(f"the container ended with status {code}")

    def _in_doubt(self, code: int) -> bool:
        return self._over is not None or self._doubt.holds(code)

    def _from_server(self) -> None:
        for channel, frames in self._line.receive():
            if channel == b"command":
                self._obey(json.loads(frames[0]))
            elif way := self._asked.way(channel, frames):
                self._channels.send(way, frames)

    def _obey(self, what: Mapping[str, Any]) -> None:
        command = what["command"]
        if command == "signal" and self._kernel is not None:
            self._doubt.signalled(int(what["signum"]))
            self._kernel.signal(int(what["signum"]))
        elif command == "restart" and int(what["start"]) > self._starts:
            self._starts = int(what["start"])
            if self._kernel is not None:
                self._kernel.end(patience_s=0)
            if self._holder_pid or self._holder is None:  # else the first start is still to come
                self._try(self._start_kernel)
        elif command == "ends":
            self._doors.checkpoint.move(float(what["at"]))
        elif command == "end":
            self._finish("the server ended it", 0)

    def _from_kernel(self, name: str, *, most: int = 100) -> None:
        label = name.encode()
        for frames in self._channels.receive(name, most=most):
            info = kernel_info(frames, self._key) if name == "shell" else None
            if info is None:
                self._output.send(label, frames)
            elif not self._ready:
                self._informed = info
        if not self._ready and self._informed is not None and self._channels.heard:
            self._ready = True
            self._line.say("ready", info=self._informed, start=self._starts)

    # -- the end

    def _fail(self, why: str) -> None:
        self._line.say("failed", why=why)
        self._finish(why, 1)

    def _finish(self, why: str, status: int) -> None:
        if self._over is None:
            self._over, self._status = why, status

    def _leave(self) -> None:
        self._doors.close()
        if self._kernel is not None:
            self._kernel.end(patience_s=0.5)
        if self._holder is not None:
            self._holder.end(patience_s=0.2)
        self._container.remove()
        self._log.close()
        self._line.say("bye", why=self._over or "the agent failed")
        self._channels.close()
        self._line.close()
        shutil.rmtree(self._run_dir, ignore_errors=True)
        if self._status == ORPHANED:  # else the server tidies up, after it has read the log
            shutil.rmtree(self._plan.job_dir, ignore_errors=True)
        self._context.term()
