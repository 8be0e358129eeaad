"""A conversation of 20 turns through `convo send` over a third-party mock of the OpenAI API (PyPI `llmock`).

    python3 -m venv /tmp/mock && /tmp/mock/bin/pip install llmock
    /tmp/mock/bin/python Tests/External/llmock.py .build/debug

Each answer on stdout must be the stored message, each receipt must say that the whole session went out, the mock must
have got just those messages, and its own verdict on the client must be clean. Exit code 1 when a check fails.
"""
import json, os, socket, subprocess, sys, tempfile, threading, time, urllib.request

TURNS = 20


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def wait_for(url, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            return get(url)
        except OSError:
            threading.Event().wait(0.05)  # until the mock listens
    sys.exit(f"nothing answers at {url}")


def main(programs):
    port, bad = free_port(), []
    base = f"http://127.0.0.1:{port}"
    mock = subprocess.Popen([os.path.join(os.path.dirname(sys.executable), "llmock"), "serve", "--port", str(port)],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as home:
        config = os.path.join(home, "config.json5")
        with open(config, "w") as f:
            f.write('{ upstreams: { mock: { kind: "openai", baseURL: "%s/v1", model: "gpt-4o", keys: [{ env: "MOCK_KEY" }] } } }' % base)
        env = {"HOME": home, "PATH": "/usr/bin:/bin", "CONVOD_CONFIG": config, "CONVOD_SOCKET": home + "/s.sock", "MOCK_KEY": "sk-mock"}

        def convo(*words):
            done = subprocess.run([os.path.join(programs, "convo"), *words], env=env, capture_output=True, text=True, timeout=60)
            if done.returncode:
                sys.exit(f"convo {' '.join(words)}: {done.returncode}: {done.stderr}")
            return done.stdout

        try:
            wait_for(base + "/v1/models")
            answers = []
            for k in range(1, TURNS + 1):
                said = json.loads(convo("send", *(["--new", "t"] if k == 1 else ["-s", "t"]), "--json", f"turn {k}: 你好 🙂"))
                answers.append(said["text"])
                receipt = json.loads(convo("rpc", "_convod/context/receipt", json.dumps({"turnId": said["turnId"]})))["receipt"]
                if (receipt["sentMessages"], receipt["leftOutMessages"], receipt["rule"]) != (2 * k - 1, 0, "fits"):
                    bad.append(f"turn {k}: receipt {receipt}")
                if said["stopReason"] != "end_turn" or not said["text"]:
                    bad.append(f"turn {k}: {said}")
            messages = json.loads(convo("rpc", "_convod/message/list", '{"sessionId":"t","limit":100}'))["messages"]
            stored = ["".join(p.get("text", "") for p in m["content"]) for m in messages]
            if stored[1::2] != answers:
                bad.append("what is stored is not what was printed")
            if [m["status"] for m in messages] != ["complete"] * (2 * TURNS):
                bad.append("not every message is complete")
            verdict = get(base + "/_llmock/verdict")
            if not verdict["passed"] or verdict["calls"] < TURNS:
                bad.append(f"the mock's verdict: {verdict}")
        finally:
            subprocess.run([os.path.join(programs, "convo"), "stop"], env=env, capture_output=True, timeout=30)
            mock.terminate()
            mock.wait(10)
    for line in bad:
        print("FAIL", line)
    print(f"{TURNS if not bad else 0} turns over llmock, {len(bad)} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
