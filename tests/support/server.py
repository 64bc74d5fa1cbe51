"""A real Jupyter server in a process of its own, and the little of HTTP and WebSocket that tests need."""

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest
import websocket
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1, serialize_msg_to_ws_v1

V1 = "v1.kernel.websocket.jupyter.org"
PATIENCE_S = 60
AGAIN_S = 8  # longer than a server with a few kernels takes to end
PAGES = ("jupyterlab", "jupyter_lsp", "jupyter_server_terminals", "notebook", "notebook_shim")
"""What only browsers ask for: extensions that tests of kernels do without."""
_PARTS = ("header", "parent_header", "metadata", "content")


class RefusedError(Exception):
    """The server answered with an error."""

    def __init__(self, status, text):
        self.status, self.said = status, json.loads(text) if text.startswith("{") else {}
        self.message = self.said.get("message", text)
        super().__init__(f"{status}: {self.message}")


class Server:
    """``python -m jupyter_server`` on a free port, with the Jupyter directories of a ``Site``."""

    MODULE, LEFT_OUT, OPTIONS = "jupyter_server", PAGES, ()

    def __init__(self, site, **env):
        self.token = secrets.token_hex(16)
        self.log_file = site.directory / f"server-{secrets.token_hex(4)}.log"
        self._runtime = site.directory / "runtime"
        self._sockets = []
        words = [*self.before(site), sys.executable, "-m", self.MODULE]
        words += ["--no-browser", "--ip=127.0.0.1", "--port=0", *self.OPTIONS]
        words += ["--allow-root"] if os.getuid() == 0 else []
        extensions = dict.fromkeys(self.LEFT_OUT, False) | {"jupyter_hpcctr": True}  # without them half of the time
        words += [f"--ServerApp.jpserver_extensions={extensions}"]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                words,
                cwd=site.cwd,
                env={**os.environ, "JUPYTER_TOKEN": self.token, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self.url = self._listening()
        except BaseException:
            self.kill()
            raise

    def before(self, site):
        """The words of a program that becomes the server."""
        return ()

    @property
    def log(self):
        return self.log_file.read_text(errors="replace")

    def _listening(self):
        record = self._runtime / f"jpserver-{self.process.pid}.json"
        until = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < until:
            if record.exists() and (text := record.read_text()):
                url = json.loads(text)["url"].rstrip("/")
                if self._answers(url):
                    return url
            time.sleep(0.05)
        raise AssertionError(f"the server does not start:\n{self.log}")

    @staticmethod
    def _answers(url):
        try:
            with urllib.request.urlopen(f"{url}/api", timeout=PATIENCE_S):
                return True
        except OSError:
            return False

    def hpcctr(self, method, path, body=None):
        """Make a REST call of our own; return (status, what the answer's JSON says). Raises ``RefusedError``."""
        return self.ask(method, path, body, below="jupyter-hpcctr")

    def ask(self, method, path, body=None, *, timeout=PATIENCE_S, below="api"):
        """Make a REST call; return (status, what the answer's JSON says). Raises ``RefusedError``."""
        request = urllib.request.Request(
            f"{self.url}/{below}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            raise RefusedError(error.code, text) from None

    def kernels(self):
        """The listed kernels by their id."""
        return {kernel["id"]: kernel for kernel in self.ask("GET", "kernels")[1]}

    def open_notebook(self, path, kernel_name):
        """What JupyterLab does when a notebook is opened: return (status, the session's model)."""
        return self.ask(
            "POST",
            "sessions",
            {"path": path, "name": path, "type": "notebook", "kernel": {"name": kernel_name}},
        )

    def connect(self, kernel_id, *, session=None, protocol=V1):
        """Open a kernel's WebSocket; it is closed with the server."""
        self._sockets.append(Socket(self, kernel_id, session=session or uuid.uuid4().hex, protocol=protocol))
        return self._sockets[-1]

    def tidy(self):
        """Leave nothing of a test to the next one: close the WebSockets and end the kernels, with their sessions."""
        self._hang_up()
        for kernel_id in self.kernels():
            self.ask("DELETE", f"kernels/{kernel_id}")

    def stop(self, *, timeout=PATIENCE_S):
        """Shut down as people do, by SIGTERM; return the exit status."""
        self._hang_up()
        self._await_silence()
        return self._ended(timeout)

    def _ended(self, timeout):
        # Told again when it does not end: a signal can be lost (see _await_silence), a second one changes nothing.
        until = time.monotonic() + timeout
        while True:
            self.process.terminate()
            left = max(until - time.monotonic(), 0.01)
            try:
                return self.process.wait(timeout=min(left, AGAIN_S))
            except subprocess.TimeoutExpired:
                if left <= AGAIN_S:
                    raise

    def crash(self):
        """End it as a login node's crash does."""
        self.process.kill()
        self.process.wait()
        self._hang_up()

    def _await_silence(self):
        # jupyter_server's signal handler logs; in the midst of another log line Python refuses that, and the
        # signal is lost ("reentrant call inside BufferedWriter").
        size = -1
        while size != self.log_file.stat().st_size:
            size = self.log_file.stat().st_size
            time.sleep(0.3)

    def kill(self):
        """Make sure that nothing is left, however the test went."""
        self._hang_up()
        if self.process.poll() is None:
            try:
                self._ended(PATIENCE_S / 2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _hang_up(self):
        while self._sockets:
            self._sockets.pop().close()


class Socket:
    """A kernel's WebSocket, in the protocol v1 (binary) or, with ``protocol=""``, the older JSON."""

    def __init__(self, server, kernel_id, *, session, protocol):
        self.kernel_id, self.session, self._binary = kernel_id, session, bool(protocol)
        query = urllib.parse.urlencode({"session_id": session})
        self._socket = websocket.create_connection(
            f"{server.url.replace('http', 'ws', 1)}/api/kernels/{kernel_id}/channels?{query}",
            header=[f"Authorization: token {server.token}"],
            subprotocols=[protocol] if protocol else None,
            timeout=PATIENCE_S,
        )
        assert self._socket.getsubprotocol() == (protocol or None)

    def send(self, kind, content, *, channel="shell", metadata=None):
        """Send a request; return its id."""
        date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "session": self.session, "username": ""}
        header |= {"date": date, "version": "5.4"}
        message = {"header": header, "parent_header": {}, "metadata": metadata or {}, "content": content}
        if self._binary:
            self._socket.send_binary(serialize_msg_to_ws_v1(message, channel, lambda part: json.dumps(part).encode()))
        else:
            self._socket.send(json.dumps({**message, "channel": channel, "buffers": []}))
        return header["msg_id"]

    def execute(self, code, *, stop_on_error=True, cell=None):
        """Ask for a cell's execution, with its id as JupyterLab names it; return the request's id."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        content["stop_on_error"] = stop_on_error
        return self.send("execute_request", content, metadata=None if cell is None else {"cellId": cell})

    def receive(self, *, timeout=PATIENCE_S):
        """The next message, a dictionary with ``channel``; raises ``TimeoutError``."""
        until = time.monotonic() + timeout
        opcode = None
        while opcode not in (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY):  # pings come in between
            self._socket.settimeout(max(until - time.monotonic(), 0.01))
            try:
                opcode, data = self._socket.recv_data(control_frame=True)
            except websocket.WebSocketTimeoutException:
                raise TimeoutError(f"no message in {timeout} s") from None
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                raise ConnectionResetError("the server closed the WebSocket")
        if not self._binary:
            return json.loads(data)
        channel, parts = deserialize_msg_from_ws_v1(data)
        return {"channel": channel} | {name: json.loads(part) for name, part in zip(_PARTS, parts, strict=False)}

    def until(self, wanted, *, timeout=PATIENCE_S):
        """Return the messages up to and with the first that ``wanted`` says yes to."""
        seen = []
        until = time.monotonic() + timeout
        while not seen or not wanted(seen[-1]):
            left = until - time.monotonic()
            try:
                seen.append(self.receive(timeout=max(left, 0.01)))
            except TimeoutError:
                summary = [(m["header"]["msg_type"], m["content"]) for m in seen]
                raise AssertionError(f"not in {timeout} s; there came {summary}") from None
        return seen

    def answer(self, message_id, *, timeout=PATIENCE_S):
        """The content of the reply to a request."""
        return self.until(lambda m: replies(m, message_id), timeout=timeout)[-1]["content"]

    def shown(self, message_id, kind, words="", *, timeout=PATIENCE_S):
        """The content of the first message of a kind on iopub for a request with these words in it."""

        def wanted(m):
            of_it = m["parent_header"].get("msg_id") == message_id and m["header"]["msg_type"] == kind
            return of_it and words in json.dumps(m["content"])

        return self.until(wanted, timeout=timeout)[-1]["content"]

    def run(self, code, *, timeout=PATIENCE_S):
        """Execute a cell; return (reply's content, text of its standard output)."""
        return self.ended(self.execute(code, stop_on_error=False), timeout=timeout)

    def ended(self, asked, *, timeout=PATIENCE_S):
        """Wait for a cell's reply and its ``idle``, which comes later after an error; return as ``run``."""
        return self.all_ended([asked], timeout=timeout)[0]

    def all_ended(self, asked, *, timeout=PATIENCE_S):
        """The same of several cells: one's reply may come behind all that the next one says."""
        told = {each: [None, False, ""] for each in asked}
        while not all(reply and idle for reply, idle, _ in told.values()):
            message = self.until(lambda m: m["parent_header"].get("msg_id") in told, timeout=timeout)[-1]
            kind, content = message["header"]["msg_type"], message["content"]
            cell = told[message["parent_header"]["msg_id"]]
            cell[0] = content if kind == "execute_reply" else cell[0]
            cell[1] |= kind == "status" and content["execution_state"] == "idle"
            cell[2] += content["text"] if kind == "stream" and content["name"] == "stdout" else ""
        return [(reply, text) for reply, _, text in told.values()]

    def close(self):
        self._socket.close()


def replies(message, message_id):
    """Whether this is the reply to a request."""
    return message["channel"] in ("shell", "control") and message["parent_header"].get("msg_id") == message_id


@pytest.fixture
def serve(site):
    """Start servers that are ended with the test: ``serve()`` → ``Server``; a failed test shows their logs."""
    running = []

    def begin(**env):
        running.append(Server(site, **env))
        return running[-1]

    yield begin
    for each in running:
        each.kill()
        print(each.log)  # pytest shows it with a failure only
