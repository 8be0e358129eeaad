"""The real `convod` in a home of its own, and a client that speaks line JSON over its socket; for the programs beside."""
import http.server, json, os, signal, socket, subprocess, tempfile, threading, time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Replying(http.server.BaseHTTPRequestHandler):
    """What a server of ours answers with: a status, a type and a body, on a connection that stays."""
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

    def log_message(self, *_):
        pass

    def reply(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Failed(Exception):
    """The error of a response; `kind` is its kind."""

    def __init__(self, error):
        super().__init__(error.get("message"))
        self.error, self.kind = error, error.get("data", {}).get("kind")


class Client:
    """One connection; `heard` has every byte that came over it when `keep` is set."""

    def __init__(self, path, keep=False):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.pending, self.number, self.updates, self.heard = b"", 0, [], bytearray() if keep else None

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def line(self, end):
        """The next line, until the monotonic time `end`."""
        while b"\n" not in self.pending:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.socket.settimeout(left)
            more = self.socket.recv(1 << 16)
            if not more:
                raise ConnectionError("the daemon closed the connection")
            if self.heard is not None:
                self.heard += more
            self.pending += more
        line, _, self.pending = self.pending.partition(b"\n")
        return json.loads(line)

    def send(self, method, seconds=20, **params):
        """Asks, without waiting for the answer."""
        self.number += 1
        request = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}
        self.socket.settimeout(seconds)
        self.socket.sendall(json.dumps(request, ensure_ascii=False).encode() + b"\n")

    @staticmethod
    def result(answer):
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["result"]

    def call(self, method, seconds=20, **params):
        """Asks and waits; updates that come before the answer are kept with their time."""
        self.send(method, seconds, **params)
        end = time.monotonic() + seconds
        while True:
            answer = self.line(end)
            if answer.get("id") == self.number and "method" not in answer:
                return self.result(answer)
            self.updates.append((time.monotonic(), answer))

    def new(self, name, **more):
        return self.call("session/new", cwd="/tmp", mcpServers=[], _meta={"convod": {"sessionId": name, **more}})

    def prompt(self, session, text, seconds=20):
        return self.call("session/prompt", seconds, sessionId=session, prompt=[{"type": "text", "text": text}])


class Daemon:
    """A running `convod`; its log is `log`, its database `database`. `under` makes the words of a tool that it runs under, which
    writes into `counted`."""

    def __init__(self, programs, config, environment={}, under=None):
        self.programs, self.directory = programs, tempfile.TemporaryDirectory()
        self.home = home = self.directory.name
        self.config, self.socket, self.database, self.log, self.counted = (
            os.path.join(home, n) for n in ("config.json5", "s.sock", "c.db", "log", "counted"))
        self.write(self.config, json.dumps(config))
        self.env = {"HOME": home, "PATH": "/usr/bin:/bin", "CONVOD_CONFIG": self.config, "CONVOD_SOCKET": self.socket,
                    "CONVOD_DATABASE": self.database, **environment}
        self.begin(under)

    def restart(self):
        """Starts it again where it was killed."""
        self.begin(None)

    def begin(self, under):
        with open(self.log, "ab") as log:
            words = under(self.counted) if under else []
            self.process = subprocess.Popen([*words, os.path.join(self.programs, "convod")], env=self.env, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, cwd="/")
        end = time.monotonic() + (120 if under else 20)
        while True:
            try:
                self.client().close()
                return
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    with open(self.log) as f:
                        raise SystemExit(f"convod does not start: {f.read()}")
                threading.Event().wait(0.02)  # until it listens

    @staticmethod
    def write(path, text):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(text)

    def client(self, keep=False):
        return Client(self.socket, keep)

    def memory(self, field="VmRSS"):
        """KiB that the process holds."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith(field + ":"))

    def convo(self, *words):
        return subprocess.run([os.path.join(self.programs, "convo"), *words], env=self.env, capture_output=True, timeout=60)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.directory.cleanup()
