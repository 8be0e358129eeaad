"""Conversations over a third-party mock of OpenAI, Anthropic and Gemini (PyPI `llmock`), well and then badly behaved.

    python3 -m venv /tmp/mock && /tmp/mock/bin/pip install llmock
    /tmp/mock/bin/python Tests/External/llmock.py .build/debug [--prompts 300]

First 20 turns over each dialect through `convo send`: each answer on stdout must be the stored message and the text
that the mock sent, each receipt must say that the whole session went out, the mock's verdict must be clean.
Then so many prompts over each dialect with the mock's random errors, quotas and stream faults on: with
`retry.cutStream: "restart"` every prompt is answered whole and `llmock report` has neither FAIL nor WARN; with "stop"
every cut answer is marked as interrupted, and the next prompt of its session is answered.
Exit code 1 when a check fails.
"""
import json, os, socket, subprocess, sys, tempfile, threading, time, urllib.request
from concurrent.futures import ThreadPoolExecutor

TURNS, TRIES = 20, 9
DIALECTS = {"openai": ("openai", "/v1", "gpt-4o"), "anthropic": ("anthropic", "/anthropic", "claude-sonnet-4-5"),
            "gemini": ("gemini", "/gemini", "gemini-2.5-flash")}
FAULTS = ["--error-rate", "429=0.06", "--error-rate", "500=0.05", "--error-rate", "503=0.05", "--error-rate", "502=0.02",
          "--stream-fault", "truncate=0.05", "--stream-fault", "disconnect=0.04", "--stream-fault", "malformed=0.03",
          "--stream-fault", "stall=0.02", "--stream-stall-seconds", "6", "--stream-chunk-delay-ms", "3", "--rpm", "900", "--tpm", "2000000"]
# Long enough that no random fault, which strikes one of the first seven events, strikes the last one.
WORDS = " ".join(f"word{n}" for n in range(40)) + " 你好 🙂"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


class Mock:
    """The mock server with its port."""

    def __init__(self, *flags):
        self.program = os.path.join(os.path.dirname(sys.executable), "llmock")
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen([self.program, "serve", "--port", str(self.port), "--tool-mode", "off",
                                         "--response-style", "echo", *flags],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                return get(self.base + "/_llmock/verdict") and None
            except OSError:
                threading.Event().wait(0.05)  # until the mock listens
        sys.exit("the mock does not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Daemon:
    """A convod of its own, in a home of its own."""

    def __init__(self, programs, mock, retry):
        self.directory = tempfile.TemporaryDirectory()
        home = self.directory.name
        config = os.path.join(home, "config.json5")
        upstreams = {name: {"kind": kind, "baseURL": mock.base + path, "model": model, "keys": [{"env": "MOCK_KEY"}],
                            "timeouts": {"connect": "5s", "firstToken": "30s", "gap": "3s"}}
                     for name, (kind, path, model) in DIALECTS.items()}
        with open(config, "w") as f:
            json.dump({"upstreams": upstreams, "retry": retry, "limits": {"queue": 1000}}, f)
        self.socket = home + "/s.sock"
        self.env = {"HOME": home, "PATH": "/usr/bin:/bin", "CONVOD_CONFIG": config, "CONVOD_SOCKET": self.socket, "MOCK_KEY": "sk-mock"}
        self.programs = programs

    def convo(self, *words, fails=False):
        done = subprocess.run([os.path.join(self.programs, "convo"), *words], env=self.env, capture_output=True, text=True, timeout=120)
        if done.returncode and not fails:
            raise SystemExit(f"convo {' '.join(words)}: {done.returncode}: {done.stderr}")
        return done.stdout

    def call(self, method, **params):
        """One call on a connection of its own; returns the result, the error, and the updates before."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(300)
            s.connect(self.socket)
            s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
            updates = []
            for line in s.makefile("rb"):
                message = json.loads(line)
                if message.get("id") == 1:
                    return message.get("result"), message.get("error"), updates
                updates.append(message)
        return None, {"message": "the daemon closed"}, updates

    def stop(self):
        self.convo("stop", fails=True)
        self.directory.cleanup()


def text_of(message):
    return "".join(p.get("text", "") for p in message["content"] if p["type"] == "text")


def echo(*said):
    """What the mock sends, whole, for a request with these texts."""
    return "Hello! You said: " + " ".join(" ".join(said).split())[:120]


def well_behaved(programs, bad):
    mock = Mock()
    daemon = Daemon(programs, mock, {})
    try:
        daemon.convo("start")
        for name in DIALECTS:
            answers = []
            for k in range(1, TURNS + 1):
                said = json.loads(daemon.convo("send", "-u", name, *(["--new", name] if k == 1 else ["-s", name]), "--json", f"turn {k}: 你好 🙂"))
                answers.append(said["text"])
                receipt = json.loads(daemon.convo("rpc", "_convod/context/receipt", json.dumps({"turnId": said["turnId"]})))["receipt"]
                if (receipt["sentMessages"], receipt["leftOutMessages"], receipt["rule"]) != (2 * k - 1, 0, "fits"):
                    bad.append(f"{name}, turn {k}: receipt {receipt}")
                if said["stopReason"] != "end_turn" or not said["text"] or said["upstream"] != name:
                    bad.append(f"{name}, turn {k}: {said}")
            messages = json.loads(daemon.convo("rpc", "_convod/message/list", json.dumps({"sessionId": name, "limit": 100})))["messages"]
            texts = [text_of(m) for m in messages]
            if texts[1::2] != answers:
                bad.append(f"{name}: what is stored is not what was printed")
            for k in range(TURNS):
                if texts[2 * k + 1] != echo(*texts[:2 * k + 1]):
                    bad.append(f"{name}, turn {k + 1}: stored {texts[2 * k + 1]!r}, sent {echo(*texts[:2 * k + 1])!r}")
            if [m["status"] for m in messages] != ["complete"] * (2 * TURNS):
                bad.append(f"{name}: not every message is complete")
        verdict = get(mock.base + "/_llmock/verdict")
        if not verdict["passed"] or verdict["warnings"] or verdict["calls"] < TURNS * len(DIALECTS):
            bad.append(f"the mock's verdict: {verdict}")
        requests = get(mock.base + "/_llmock/requests")["requests"]
        print(f"{TURNS} turns over each of {len(DIALECTS)} dialects: {len(requests)} requests, verdict {verdict['calls']} calls, "
              f"{verdict['errors']} errors, {verdict['warnings']} warnings")
    finally:
        daemon.stop()
        mock.stop()


def badly_behaved(programs, count, cut, bad):
    mock = Mock(*FAULTS)
    daemon = Daemon(programs, mock, {"attempts": TRIES, "total": "300s", "cutStream": cut})
    tally = {}

    def one(name, k):
        session = f"{name}-{k}"
        said = f"prompt {k} of {session}: {WORDS}"
        daemon.call("session/new", _meta={"convod": {"sessionId": session, "upstream": name}})
        result, error, updates = daemon.call("session/prompt", sessionId=session, prompt=[{"type": "text", "text": said}])
        messages = daemon.call("_convod/message/list", sessionId=session)[0]["messages"]
        chunks = [u["params"]["update"] for u in updates if u.get("method") == "session/update"
                  and u["params"]["update"]["sessionUpdate"] == "agent_message_chunk"]
        last = chunks[-1]["messageId"] if chunks else None
        streamed = "".join(c["content"]["text"] for c in chunks if c["messageId"] == last)
        answer = next((m for m in messages if m["role"] == "assistant"), None)
        outcome = error["data"]["kind"] if error else result["stopReason"]
        tally[(name, outcome)] = tally.get((name, outcome), 0) + 1
        if answer and text_of(answer) != streamed:
            bad.append(f"{session}: stored {text_of(answer)!r}, streamed {streamed!r}")
        if answer and not (text_of(answer) == echo(said) if answer["status"] == "complete" else echo(said).startswith(text_of(answer))):
            bad.append(f"{session}: {answer['status']}, stored {text_of(answer)!r}, sent {echo(said)!r}")
        if cut == "restart" and (outcome != "end_turn" or not answer or answer["status"] != "complete"):
            # Of so many prompts one may meet an error at each of its tries.
            turn = error and daemon.call("_convod/turn/get", turnId=error["data"]["turnId"])[0] or {}
            tries = [f"{a['outcome']} {a.get('status')}" for a in turn.get("attempts", [])]
            if len(tries) < TRIES:
                bad.append(f"{session}: {outcome} {error or ''} {tries}")
            else:
                tally[(name, "tries used up")] = tally.get((name, "tries used up"), 0) + 1
        if cut == "stop" and error:
            if answer and answer["status"] != "interrupted":
                bad.append(f"{session}: a cut answer is marked {answer['status']}")
            result, again, _ = daemon.call("session/prompt", sessionId=session, prompt=[{"type": "text", "text": "go on"}])
            tally[(name, "then")] = tally.get((name, "then"), 0) + (0 if again else 1)
            if again and again["data"]["kind"] not in ("interrupted", "upstream_timeout", "upstream_protocol"):
                bad.append(f"{session}: cannot be continued: {again}")

    try:
        daemon.convo("start")
        began = time.monotonic()
        with ThreadPoolExecutor(24) as pool:
            jobs = [pool.submit(one, name, k) for k in range(count) for name in DIALECTS]
            for job in jobs:
                job.result()
        verdict = get(mock.base + "/_llmock/verdict")
        if cut == "restart":
            report = subprocess.run([mock.program, "report", "--strict", "--url", mock.base], capture_output=True, text=True)
            print(report.stdout.strip())
            if report.returncode or "FAIL" in report.stdout or "WARN" in report.stdout:
                bad.append("llmock report is not clean")
        # An answer that is kept as it was cut is not asked for again: that is what "stop" means.
        kept = ("truncated_stream_accepted", "malformed_chunk_ignored", "gave_up")
        bad.extend(f"verdict: {f['severity']} {f['code']}: {f['title']}" for f in verdict["findings"]
                   if cut == "stop" and f["code"] not in kept)
        summary = ", ".join(f"{name} {outcome} {n}" for (name, outcome), n in sorted(tally.items()))
        print(f"{count} prompts over each dialect, cutStream {cut}: {verdict['attempts']} attempts, {verdict['faults_injected']} faults, "
              f"{verdict['errors']} errors, {verdict['warnings']} warnings, {time.monotonic() - began:.0f} s; {summary}")
    finally:
        daemon.stop()
        mock.stop()


def main(programs, count):
    bad = []
    well_behaved(programs, bad)
    badly_behaved(programs, count, "restart", bad)
    badly_behaved(programs, count, "stop", bad)
    for line in bad:
        print("FAIL", line)
    print(f"llmock, {len(bad)} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    number = int(sys.argv[sys.argv.index("--prompts") + 1]) if "--prompts" in sys.argv else 60
    sys.exit(main(os.path.abspath(sys.argv[1]), number))
