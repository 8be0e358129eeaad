#!/usr/bin/env python3
"""Whether the system unit's sandbox lets the daemon do its work: runs it under strace at all that it does, and holds every
system call and every address family against what `systemd/system/convod.service` allows, by systemd's own lists.

    python3 Tests/External/sandbox.py PROGRAMS

Needs `strace` and `systemd-analyze` (any version; no running systemd)."""
import json, os, re, subprocess, sys, tempfile, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from daemon import Client, Daemon

UNIT = os.path.join(os.path.dirname(__file__), "../../systemd/system/convod.service")


def settings(name):
    with open(UNIT) as f:
        return [line.split("=", 1)[1].strip() for line in f if line.startswith(name + "=")]


def calls_of(group, lists):
    """The calls of a group, those of the groups in it too."""
    found = set()
    for name in lists[group]:
        found |= calls_of(name, lists) if name.startswith("@") else {name}
    return found


def allowed():
    said = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True).stdout
    lists, current = {}, None
    for line in said.splitlines():
        word = line.strip()
        if line.startswith("@"):
            current = lists.setdefault(word, [])
        elif current is not None and word and not word.startswith("#"):
            current.append(word)
    calls = set()
    for rule in settings("SystemCallFilter"):
        for group in rule.lstrip("~").split():
            calls = calls - calls_of(group, lists) if rule.startswith("~") else calls | calls_of(group, lists)
    # systemd.exec(5), SystemCallFilter: these are always allowed with a list of allowed ones.
    return calls | calls_of("@default", lists) | {"execve", "exit", "exit_group", "rt_sigreturn"}


class Model(BaseHTTPRequestHandler):
    """A server that answers in OpenAI's dialect."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        lines = [json.dumps({"choices": [{"delta": {"content": "hi"}, "finish_reason": None}]}),
                 json.dumps({"choices": [{"delta": {}, "finish_reason": "stop"}]}), "[DONE]"]
        body = "".join(f"data: {line}\n\n" for line in lines).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    programs = os.path.abspath(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://localhost:{server.server_address[1]}/v1"  # a name, which libc looks up
    config = {"upstreams": {
        "echo": {"kind": "echo"}, "up": {"kind": "openai", "baseURL": base, "model": "m", "keys": [{"command": ["echo", "key"]}]},
        "gone": {"kind": "openai", "baseURL": "http://nobody.invalid/v1", "model": "m"}}}
    out = tempfile.mkdtemp()
    trace = os.path.join(out, "trace")
    daemon = Daemon(programs, config, under=lambda _: ["strace", "-D", "-f", "-qq", "-e", "signal=none", "-o", trace])
    with Client(daemon.socket) as client:
        client.new("s")
        for upstream in ["echo", "up"]:
            client.call("_convod/session/set", sessionId="s", upstream=upstream)
            client.prompt("s", "a word that is searched for", 60)
        client.new("e", ephemeral=True)
        client.prompt("e", "in memory", 60)
        client.call("_convod/session/set", sessionId="s", upstream="gone")
        try:
            client.prompt("s", "to nobody", 120)
        except Exception as error:  # noqa: BLE001, it must not be answered
            print(f"as expected: {error}")
        client.call("_convod/search", query="searched")
        client.call("_convod/export", sessionId="s")
        client.call("_convod/store/stats")
        client.call("_convod/server/metrics")
        client.call("_convod/store/check", 60)
        client.call("_convod/store/backup", 60, path=os.path.join(daemon.home, "copy.db"))
        client.call("_convod/server/reload")
        client.call("session/delete", sessionId="s")
        client.call("_convod/session/purge", 60, sessionId="s")
    daemon.process.terminate()
    daemon.process.wait(60)
    threading.Event().wait(0.5)  # strace ends a moment after the daemon
    used, families = {}, set()
    with open(trace, errors="replace") as f:
        for line in f:
            match = re.match(r"\d+ +(?:<\.\.\. )?(\w+)[( ]", line)
            if match and not re.match(r"\d+ +[+-]{3}", line):
                used.setdefault(match[1], line.strip()[:160])
                family = re.search(r"AF_\w+", line)
                if match[1] == "socket" and family:
                    families.add(family[0])
    known = allowed()
    # Who starts a command runs it inside the same sandbox; what its libc does at its start is not the daemon's.
    refused = {name: line for name, line in used.items() if name not in known}
    # The daemon goes on where its limit stays, and SQLite gives files an owner where root alone runs it.
    harmless = {"setrlimit"} | ({"fchown"} if os.geteuid() == 0 else set())
    left = families - set(" ".join(settings("RestrictAddressFamilies")).split())
    print(f"{len(used)} system calls, {len(refused)} outside of the filter; families {', '.join(sorted(families))}")
    for name, line in refused.items():
        print(f"  {name}: {line}")
    if left or set(refused) - harmless:
        raise SystemExit(f"the sandbox would refuse {sorted(set(refused) - harmless)} {sorted(left)}")
    if len(used) < 40 or "AF_INET" not in families:
        raise SystemExit("too little was seen to say anything")


if __name__ == "__main__":
    main()
