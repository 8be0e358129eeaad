"""Keys, tokens and secrets that must show up nowhere, whatever a provider does with them.

    python3 Tests/External/leaks.py .build/debug

Plants one secret of each kind: keys in the environment, in a file, printed by a command, in an extra header, a signing
secret, Google's login and private key and the tokens they give. Then a server that sends back what it was sent answers
calls of each dialect with every failure there is, and some that succeed. What convod wrote, said and printed meanwhile is
searched for any SHOWN bytes in a row of any of them: its log, its database with -wal and -shm, all that came over the
socket, all that `convo` printed. Needs `openssl` for the private key. Exit code 1 when something is found.
"""
import base64, concurrent.futures, json, os, random, re, socketserver, subprocess, sys, tempfile, threading, time
from daemon import Daemon, Failed

SHOWN = 8  # bytes in a row that give a secret away; the last four are shown on purpose
MODES = ["ok", "400", "401", "403", "404", "429", "500", "plain", "html", "fastapi", "long", "redirect", "stream", "cut", "refusal",
         "other", "chatty", "slow", "models"]


def plant():
    """Secrets by name; some look like a provider's, some like nothing, as Azure's and Mistral's do."""
    def letters(n):
        return "".join(random.SystemRandom().choice("abcdefghkmnpqrstuvwxyzABCDEFGHKMNPQRSTUVWXYZ23456789") for _ in range(n))
    pem = subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                         capture_output=True, text=True, check=True).stdout
    return {"openai": "sk-proj-" + letters(40), "anthropic": "sk-ant-api03-" + letters(40), "gemini": "AIza" + letters(35),
            "token": "ya29." + letters(60), "pem": pem, "client secret": "GOCSPX-" + letters(28), "refresh token": "1//" + letters(40),
            "signing": letters(40), "header": letters(32), "command": letters(40),
            "file": letters(16) + "/" + letters(14) + "+", "stderr": letters(40)}


class Server(socketserver.ThreadingTCPServer):
    """Answers as the first segment of the path says, and sends back all secrets that it got."""
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 256

    def __init__(self, planted, host="127.0.0.1"):
        super().__init__((host, 0), Handler)
        self.planted, self.other, self.requests, self.got = planted, None, 0, set()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def base(self):
        return "http://%s:%d" % self.server_address


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            while self.exchange():
                pass
        except (OSError, ValueError):
            pass

    def exchange(self):
        line = self.rfile.readline().decode()
        if not line:
            return False
        headers = {}
        while (header := self.rfile.readline().decode().strip()):
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0))).decode()
        self.server.requests += 1
        self.path = line.split(" ")[1]
        _, kind, mode, *_ = self.path.split("/")
        self.kind = kind
        if kind == "token":
            return self.token(mode, body)
        values = [headers.get(n, "") for n in ("authorization", "x-api-key", "x-goog-api-key", "x-gateway-key")]
        whole = " ".join(filter(None, values))
        self.server.got |= {n for n, s in self.server.planted.items() if s in whole}
        self.echo = f"key '{values[0] or values[1] or values[2]}', gateway ({values[3]}), all: {whole}; {headers.get('x-convod-signature', '')}"
        return self.respond(mode)

    def token(self, mode, body):
        if mode == "bad":
            return self.reply(400, {"error": "invalid_grant", "error_description": "Bad: " + body})
        return self.reply(200, {"access_token": self.server.planted["token"], "expires_in": 3599, "token_type": "Bearer"})

    def respond(self, mode):
        words = f"refused {self.echo}"
        if mode == "models":
            mode = "ok" if "stream" in self.path or "completions" in self.path or self.path.endswith("/messages") else "401"
        if mode.isdigit():
            return self.reply(int(mode), self.error(words, int(mode)))
        if mode == "plain":
            return self.reply(400, words, "text/plain")
        if mode == "html":
            return self.reply(502, f"<p>Bad gateway for {self.echo}</p>", "text/html")
        if mode == "fastapi":
            body = json.dumps({"detail": [{"loc": ["header"], "msg": words, "input": self.echo}]})
            return self.reply(422, body.replace("/", "\\/"))  # as PHP writes it
        if mode == "long":  # a cut at any length may fall into a key
            return self.reply(400, self.error("word " * 50 + "x" * 31 + " " + self.echo, 400))
        if mode == "redirect":
            self.send(f"HTTP/1.1 302 Found\r\nLocation: {self.server.other.base}/ok/ok/{self.echo.replace(' ', '%20')}\r\nContent-Length: 0\r\n\r\n")
            return True
        if mode == "slow":
            time.sleep(3)
            return False
        return self.stream(mode, words)

    def error(self, words, status):
        if self.kind == "anthropic":
            kinds = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error", 500: "api_error"}
            return {"type": "error", "error": {"type": kinds.get(status, "invalid_request_error"), "message": words}}
        if self.kind == "gemini":
            return {"error": {"code": status, "message": words, "status": "INVALID_ARGUMENT" if status == 400 else "INTERNAL",
                              "details": [{"reason": "X", "metadata": {"quota_limit": self.echo}}]} if status == 400 else
                    {"code": status, "message": words}}
        return {"error": {"message": words, "type": "invalid_request_error", "param": None, "code": None}}

    def stream(self, mode, words):
        events = []
        text, end, refusal, other = self.shapes(words)
        if mode == "stream":
            events = [self.error(words, 500)]
        elif mode == "cut":
            events = text + [self.error(words, 500)]
        elif mode == "refusal":
            events = refusal
        elif mode == "other":
            events = other
        elif mode == "chatty":
            events = text + other
        else:
            events = text + end
        out = "".join((f"event: {e['type']}\n" if self.kind == "anthropic" else "") + f"data: {json.dumps(e)}\n\n" for e in events)
        self.reply(200, out + ("data: [DONE]\n\n" if self.kind == "openai" and mode == "ok" else ""), "text/event-stream")
        return True

    def shapes(self, words):
        """Text, a good end, a refusal and an end for another reason, that both say the secrets."""
        if self.kind == "openai":
            def chunk(delta, reason=None):
                return [{"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}]
            failed = [{"error": {"message": words, "code": "content_filter"}}]
            return chunk({"content": "pong"}), chunk({}, "stop"), failed, chunk({}, "error")
        if self.kind == "anthropic":
            start = [{"type": "message_start", "message": {"usage": {"input_tokens": 3}}},
                     {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}]
            def end(reason, **more):
                return [{"type": "message_delta", "delta": {"stop_reason": reason, **more}, "usage": {"output_tokens": 2}}, {"type": "message_stop"}]
            why = {"stop_details": {"category": "cyber", "explanation": words}}
            return start + [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "pong"}}], \
                end("end_turn"), end("refusal", **why), end("paused", **why)
        def chunk(reason=None, text="", **more):
            return [{"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": reason, "index": 0, **more}]}]
        blocked = [{"promptFeedback": {"blockReason": "OTHER", "blockReasonMessage": words}}]
        return chunk(text="pong"), chunk("STOP"), blocked, chunk("OTHER", finishMessage=words)

    def reply(self, status, body, kind="application/json"):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send(f"HTTP/1.1 {status} Oh\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n", body)
        return True

    def send(self, head, body=b""):
        self.wfile.write(head.encode() + body)
        self.wfile.flush()


class Setting:
    """The configuration: each way to hold a key with each way to fail."""

    def __init__(self, directory, planted, server):
        self.upstreams, self.planted, self.server = {}, planted, server
        path = lambda name: os.path.join(directory, name)
        Daemon.write(path("key"), planted["file"] + "\n")
        Daemon.write(path("secret"), planted["signing"] + "\n")
        Daemon.write(path("service.json"), json.dumps({"type": "service_account", "project_id": "p", "private_key_id": "k", "private_key": planted["pem"],
                     "client_email": "bot@p.iam.gserviceaccount.com", "client_id": "1", "token_uri": server.base + "/token/good"}))
        Daemon.write(path("login.json"), json.dumps({"type": "authorized_user", "client_id": "c", "client_secret": planted["client secret"],
                     "refresh_token": planted["refresh token"]}))
        command = ["/bin/sh", "-c", f"echo {planted['command']}"]
        sources = [("env", "openai", {"keys": [{"env": "OPENAI_API_KEY"}]}), ("env", "anthropic", {"keys": [{"env": "ANTHROPIC_API_KEY"}]}),
                   ("env", "gemini", {"keys": [{"env": "GEMINI_API_KEY"}]}), ("file", "openai", {"keys": [{"file": path("key")}]}),
                   ("file", "anthropic", {"keys": [{"file": path("key")}]}), ("command", "openai", {"keys": [{"command": command}]}),
                   ("command", "gemini", {"keys": [{"command": command}]}),
                   ("login", "gemini", {"credentials": {"authorizedUser": path("login.json"), "tokenURL": server.base + "/token/good"}}),
                   ("service", "gemini", {"credentials": {"serviceAccount": path("service.json")}})]
        more = {"headers": {"X-Gateway-Key": planted["header"]}, "signing": {"secret": {"file": path("secret")}, "keyId": "k1"},
                "timeouts": {"connect": "1s", "firstToken": "700ms", "gap": "500ms"}, "breaker": {"failures": 1000000}}
        for source, kind, keys in sources:
            for mode in MODES:
                self.add(f"{source}-{kind}-{mode}", kind, f"{server.base}/{kind}/{mode}", {**keys, **more})
            self.add(f"{source}-{kind}-dns", kind, f"http://nowhere.invalid/{kind}/ok", {**keys, **more})
            self.add(f"{source}-{kind}-down", kind, f"http://127.0.0.1:1/{kind}/ok", {**keys, **more})
        self.add("stderr-openai-ok", "openai", f"{server.base}/openai/ok", {"keys": [{"command": ["/bin/sh", "-c", f"echo {planted['stderr']} >&2; exit 1"]}]})
        self.add("login-gemini-bad", "gemini", f"{server.base}/gemini/ok",
                 {"credentials": {"authorizedUser": path("login.json"), "tokenURL": server.base + "/token/bad"}})

    def add(self, name, kind, base, more):
        # Chat Completions gets '/v1' only where the address has no path.
        self.upstreams[name] = {"kind": kind, "baseURL": base, "model": "m", **more}

    @property
    def configuration(self):
        return {"upstreams": self.upstreams, "routes": {"default": [next(iter(self.upstreams))]}, "retry": {"attempts": 2, "base": "1ms"}}


class Ears:
    """All that was said, by place."""

    def __init__(self):
        self.places, self.lock = {}, threading.Lock()

    def add(self, place, data):
        with self.lock:
            self.places.setdefault(place, bytearray()).extend(data)


def visit(daemon, ears, name):
    """One upstream: a prompt and all that tells of it. Gives how the prompt ended."""
    client, turn = daemon.client(keep=True), None
    def call(method, **params):
        try:
            return client.call(method, 30, **params)
        except Failed as error:
            return error
    with client:
        call("session/new", cwd="/tmp", mcpServers=[], _meta={"convod": {"sessionId": name, "upstream": name}})
        answer = call("session/prompt", sessionId=name, prompt=[{"type": "text", "text": "ping"}])
        isError = isinstance(answer, Failed)
        turn = answer.error["data"].get("turnId") if isError else answer["_meta"]["convod"]["turnId"]
        if turn:
            call("_convod/turn/get", turnId=turn)
            call("_convod/context/receipt", turnId=turn)
        call("_convod/context/preview", sessionId=name, prompt=[{"type": "text", "text": "again"}], count=True)
        call("_convod/upstream/test", upstream=name)
        call("_convod/turn/list", sessionId=name)
        call("_convod/message/list", sessionId=name)
        call("_convod/export", sessionId=name, format="jsonl")
    ears.add("socket of " + name, client.heard)
    return answer.kind if isError else answer["stopReason"]


def look_around(daemon, ears, names):
    with daemon.client(keep=True) as client:
        for method, params in [("_convod/upstream/list", {}), ("_convod/server/info", {"config": True}), ("_convod/server/metrics", {}),
                               ("_convod/server/clients", {}), ("rpc.discover", {})]:
            try:
                client.call(method, **params)
            except Failed:
                pass
        ears.add("socket", client.heard)
    commands = [("config",), ("upstreams",), ("status", "--json"), ("status",), ("doctor",), ("ls", "--json"), ("models",), ("logs",)]
    for name in names:
        if name.endswith(("-401", "-ok", "-cut", "-models")):
            commands += [("upstreams", "test", name), ("send", "-u", name, "ping"), ("models", "-u", name), ("show", name), ("context", name)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for words, done in zip(commands, pool.map(lambda w: daemon.convo(*w), commands)):
            ears.add("convo " + " ".join(words), done.stdout + done.stderr)
    for root, _, files in os.walk(daemon.home):
        for name in files:
            if name.startswith("c.db") or name.endswith("log"):
                with open(os.path.join(root, name), "rb") as f:
                    ears.add(name, f.read())


def pieces(secret):
    """What gives a secret away: any SHOWN bytes in a row of what is not its provider's prefix, and the same in base64."""
    lines = [l for l in secret.splitlines() if "-----" not in l]
    found = set()
    for line in lines:
        core = re.sub(r"^(sk-proj-|sk-ant-api03-|AIza|ya29\.|GOCSPX-|1//)", "", line)
        found |= {core[k:k + SHOWN] for k in range(len(core) - SHOWN + 1)}
    whole = base64.b64encode(secret.encode()).decode()
    return [p.encode() for p in found] + [whole[16:40].encode()]


def search(ears, planted):
    """The places where a secret was found, with what stands around it."""
    found = {}
    for name, secret in planted.items():
        pattern = re.compile(b"|".join(map(re.escape, pieces(secret))))
        for place, data in ears.places.items():
            hit = pattern.search(data)
            if hit:
                found.setdefault(name, []).append((place, bytes(data[max(0, hit.start() - 90):hit.end() + 40]).decode(errors="replace")))
    return found


def main(programs):
    planted, ears = plant(), Ears()
    server, other = Server(planted), Server(planted, "127.0.0.2")
    server.other = other
    with tempfile.TemporaryDirectory() as directory:
        setting = Setting(directory, planted, server)
        environment = {"OPENAI_API_KEY": planted["openai"], "ANTHROPIC_API_KEY": planted["anthropic"], "GEMINI_API_KEY": planted["gemini"]}
        with Daemon(programs, setting.configuration, environment) as daemon:
            names = list(setting.upstreams)
            with concurrent.futures.ThreadPoolExecutor(12) as pool:
                endings = list(pool.map(lambda n: visit(daemon, ears, n), names))
            look_around(daemon, ears, names)
            isAlive = daemon.process.poll() is None
        for mode in MODES + ["dns", "down", "bad"]:
            kinds = sorted({e for n, e in zip(names, endings) if n.endswith("-" + mode)})
            print(f"{mode:10} {', '.join(kinds)}")
    bad = [] if isAlive else ["the daemon is gone"]
    if other.requests:
        bad.append(f"the host that was redirected to got {other.requests} requests")
    unsent = {"openai", "anthropic", "gemini", "token", "header", "command", "file"} - server.got
    if unsent:
        bad.append(f"never sent, so nothing was tested: {', '.join(sorted(unsent))}")
    found = search(ears, planted)
    for name, places in found.items():
        bad.append(f"'{name}' in {len(places)} places, as in {places[0][0]}: {places[0][1]!r}")
        for kind in ("c.db", "c.db-wal", "log"):
            if any(p == kind for p, _ in places):
                bad.append(f"'{name}' in {kind}")
    for line in bad:
        print("FAIL", line)
    size = sum(map(len, ears.places.values()))
    print(f"{len(names)} upstreams, {server.requests} requests, {other.requests} to the other host")
    print(f"{len(planted)} planted secrets, searched {size} bytes in {len(ears.places)} places, {len(found)} found")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
