"""A real HTTPS server with a token, behind which jobs of the local scheduler run; and what can go wrong with one."""

import contextlib
import json
import os
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .far import answered

TOKEN = "s3cret-t0ken"


def certificate(directory, name="server"):
    """Make a certificate for 127.0.0.1 that vouches for itself; the paths of it and of its key."""
    cert, key = directory / f"{name}.crt", directory / f"{name}.key"
    extensions = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,digitalSignature,keyCertSign",
                  "subjectAltName=IP:127.0.0.1")  # fmt: skip
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    words += ["-subj", f"/CN={name}", "-keyout", str(key), "-out", str(cert)]
    words += [word for extension in extensions for word in ("-addext", extension)]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    return cert, key


class Server:
    """``trouble`` is what it has: a status, "hang", "cut", "junk", "no http", "moved", "lost"; "" for none.

    With "lost" the next submission is carried out, and its answer cut.

    ``heard`` are its requests: method, path, headers and body.
    """

    def __init__(self, directory, *, tls=True, clients=None):
        self.directory, self.trouble, self.heard, self.places = directory, "", [], []
        self.env = {**os.environ, "HPCCTR_LOCAL_JOBS": str(directory / "records")}
        self.ending = threading.Event()
        self.token_file = directory / "token"
        self.token_file.write_text(f"{TOKEN}\n")
        self.ca, key = certificate(directory)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                outer.serve(self)

            do_GET = do_DELETE = do_PUT = do_POST  # noqa: N815

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.ca, key)
            if clients is not None:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(clients)
            plain = self.server.socket
            self.server.socket = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    @property
    def variables(self):
        return {"FAR_URL": self.url, "FAR_CA": str(self.ca), "FAR_TOKEN_FILE": str(self.token_file)}

    def serve(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length", 0))).decode()
        self.heard.append((request.command, request.path, dict(request.headers), body))
        authorization = request.headers.get("Authorization", "")
        if self.trouble == "hang":
            self.ending.wait(60)
        elif self.trouble == "cut":
            self.send(request, 200, "{}", length=1000)
        elif self.trouble == "no http":
            request.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        elif self.trouble == "junk":
            self.send(request, 200, "<html>maintenance</html>")
        elif self.trouble == "moved":
            self.send(request, 302, "", location="https://elsewhere.example.org/")
        elif self.trouble not in ("", "lost"):
            self.send(request, int(self.trouble), f"trouble, {authorization}")
        elif authorization != f"Bearer {TOKEN}":
            self.send(request, 401, f"nobody has the token {authorization}")
        else:
            value, error = answered(request.path.removeprefix("/v1/"), json.loads(body), self.env, self.places)
            lost = self.trouble == "lost" and request.path == "/v1/submit"
            self.trouble = "" if lost else self.trouble
            self.send(request, 400 if error else 200, error or json.dumps(value), length=1000 if lost else None)

    def send(self, request, status, text, *, length=None, location=""):
        data = text.encode()
        request.send_response(status)
        if location:
            request.send_header("Location", location)
        request.send_header("Content-Length", str(len(data) if length is None else length))
        request.end_headers()
        request.wfile.write(data)

    def close(self):
        self.ending.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


@contextlib.contextmanager
def serving(directory, **how):
    """Yield a server, and end it."""
    server = Server(directory, **how)
    try:
        yield server
    finally:
        server.close()
