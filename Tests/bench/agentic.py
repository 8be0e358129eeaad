"""agentic-api: a native peer (Rust) that keeps conversations on SQLite, over its own HTTP on loopback.

It does not sync each commit, so it stands beside `durability: "normal"`. Its clients are threads of this process, each with one
connection that stays; that costs about 0.1 ms a call here, as the daemons' socket costs them theirs."""
import http.client, json, os, socket, subprocess, sys, threading, time
from .base import Driver, Unsupported


class Agentic(Driver):
    name, concurrency = "agentic-api", "threads"
    notes = "synchronous=NORMAL, over HTTP"
    exe = os.path.join(os.path.dirname(sys.executable), "agentic-server")

    def version(self): return subprocess.run([self.exe, "--version"], capture_output=True, text=True).stdout.strip()

    def open(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.local = folder, threading.local()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.proc = subprocess.Popen(
            [self.exe, "--llm-api-base", "http://127.0.0.1:18080/v1", "--skip-llm-ready-check", "--gateway-host", "127.0.0.1",
             "--gateway-port", str(self.port), "--db-url", f"sqlite://{os.path.join(folder, 'a.db')}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "RUST_LOG": "error"})
        self.path = os.path.join(folder, "ids.json")
        self.ids = json.load(open(self.path)) if os.path.exists(self.path) else {}
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(.02)
        raise RuntimeError("agentic-server does not listen")

    def close(self):
        with open(self.path, "w") as f:
            json.dump(self.ids, f)
        self.proc.terminate()
        self.proc.wait(20)

    def call(self, method, path, body=None):
        c = getattr(self.local, "c", None)
        if c is None:
            c = self.local.c = http.client.HTTPConnection("127.0.0.1", self.port)
            c.connect()
            c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        c.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        r = c.getresponse()
        data = r.read()
        if r.status != 200:
            raise RuntimeError(f"{r.status} {data[:80]!r}")
        return json.loads(data)

    @staticmethod
    def item(role, text):
        return {"type": "message", "role": role, "content": [{"type": "input_text" if role == "user" else "output_text", "text": text}]}

    def id(self, sid):
        if sid not in self.ids:
            self.ids[sid] = self.call("POST", "/v1/conversations", {})["id"]
        return self.ids[sid]

    def new_session(self, sid): self.id(sid)

    def append_turn(self, sid, user, assistant):
        self.call("POST", f"/v1/conversations/{self.id(sid)}/items", {"items": [self.item("user", user), self.item("assistant", assistant)]})

    def page(self, sid, n, order, after=None):
        return self.call("GET", f"/v1/conversations/{self.id(sid)}/items?limit={n}&order={order}" + (f"&after={after}" if after else ""))

    def last(self, sid, n):
        return [(m["role"], m["content"][0]["text"]) for m in reversed(self.page(sid, n, "desc")["data"])]

    def export(self, sid, fp):
        count, after = 0, None
        while True:
            page = self.page(sid, 100, "asc", after)
            for m in page["data"]:
                fp.write(json.dumps({"role": m["role"], "text": m["content"][0]["text"]}, ensure_ascii=False) + "\n")
                count += 1
            if not page["has_more"]:
                return count
            after = page["last_id"]

    def load(self, sid, msgs):
        for at in range(0, len(msgs), 20):
            self.call("POST", f"/v1/conversations/{self.id(sid)}/items", {"items": [self.item(*m) for m in msgs[at:at + 20]]})

    def settings(self): return {"journal": "WAL", "synchronous": "NORMAL (as it opens it)"}
