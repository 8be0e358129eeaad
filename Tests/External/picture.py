#!/usr/bin/env python3
"""Draws schema/session.svg from a real session: an answer, kill -9 of the daemon in its middle, and the rest of it.

usage: picture.py PROGRAMS [OUT]; needs tmux. The upstream is a small server here that streams slowly.
"""
import html, http.server, json, os, re, shutil, signal, subprocess, sys, tempfile, threading, time

PROGRAMS, OUT = os.path.abspath(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "schema/session.svg"
COLUMNS, ROWS = 84, 34
FIRST = "A window is what **fits**:\n\n1. the system prompt and the pins,\n2. the newest turn, whole,\n3. as many older turns as"
REST = " there is room for.\n\nWhat stays out is *named* in the receipt, and `convo why` finds it."


class Model(http.server.BaseHTTPRequestHandler):
    asked = 0

    def do_POST(self):
        Model.asked += 1
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        first = Model.asked == 1
        for word in re.findall(r"\s*\S+", FIRST if first else REST):
            self.send({"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]})
            time.sleep(0.03)
        if first:
            time.sleep(30)  # the rest would come later
        self.send({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.send({"choices": [], "usage": {"prompt_tokens": 61, "completion_tokens": 38}})
        self.wfile.write(b"data: [DONE]\n\n")

    def send(self, event):
        try:
            self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
            self.wfile.flush()
        except OSError:
            pass

    def log_message(self, *_):
        pass


def tmux(*words):
    return subprocess.run(["tmux", "-u", "-S", SOCKET, "-f", "/dev/null", *words], env=ENVIRONMENT, text=True,
                          check=True, capture_output=True).stdout


def until(what, seconds=20):
    end = time.monotonic() + seconds
    while what not in tmux("capture-pane", "-p"):
        if time.monotonic() > end:
            sys.exit(f"'{what}' is not shown:\n" + tmux("capture-pane", "-p"))
        time.sleep(0.05)


def record():
    tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "--", "bash", "--norc")
    until("$")
    tmux("send-keys", "convo chat", "Enter")
    until("/help")
    tmux("send-keys", "What is a context window?", "Enter")
    until("older turns as")
    pid = int(open(f"{HOME}/.local/share/convod/convod.db.lock").readline())
    os.kill(pid, signal.SIGKILL)
    until("closed the connection")
    tmux("send-keys", "/continue", "Enter")
    until("38 out")
    tmux("send-keys", "C-d")
    time.sleep(0.3)
    tmux("send-keys", "convo show -c | tail -n 4; convo logs -n 3 | cut -c12-70", "Enter")
    time.sleep(1)
    return tmux("capture-pane", "-e", "-p").rstrip("\n").split("\n")


COLORS = {"31": "#e06c75", "32": "#98c379", "33": "#e5c07b", "34": "#61afef", "36": "#56b6c2", "39": "#d7dae0"}


def cells(line):
    style, out = {}, []
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b["):
            for code in part[2:-1].split(";") or ["0"]:
                if code in ("", "0"): style = {}
                elif code == "1": style = {**style, "font-weight": "bold"}
                elif code == "2": style = {**style, "fill": "#7f848e"}
                elif code == "3": style = {**style, "font-style": "italic"}
                elif code == "4": style = {**style, "text-decoration": "underline"}
                elif code == "22": style = {k: v for k, v in style.items() if k != "font-weight"}
                elif code in COLORS: style = {**style, "fill": COLORS[code]}
        elif part:
            attributes = "".join(f' {name}="{value}"' for name, value in style.items())
            out.append(f"<tspan{attributes}>{html.escape(part)}</tspan>")
    if "/continue, goes on" in line:
        out.append('<tspan fill="#e5c07b">   ← kill -9 of the daemon, just now</tspan>')
    return "".join(out)


def draw(lines):
    height = 24 + 18 * len(lines)
    rows = "\n".join(
        f'<text x="14" y="{28 + 18 * index}" xml:space="preserve">{cells(line)}</text>' for index, line in enumerate(lines))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {28 + 8.43 * COLUMNS:.0f} {height}" '
            f'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" fill="#d7dae0">\n'
            f"<!-- Made by Tests/External/picture.py from a real session. -->\n"
            f'<rect width="100%" height="100%" rx="8" fill="#1e2127"/>\n{rows}\n</svg>\n')


HOME = tempfile.mkdtemp(prefix="picture")
SOCKET = f"{HOME}/tmux"
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.makedirs(f"{HOME}/.config/convod")
with open(f"{HOME}/.config/convod/config.json5", "w") as file:
    file.write(f"{{ upstreams: {{ demo: {{ kind: 'openai', model: 'demo-1', "
               f"baseURL: 'http://127.0.0.1:{server.server_port}/v1' }} }} }}")
ENVIRONMENT = {"HOME": HOME, "PATH": f"{PROGRAMS}:/usr/bin:/bin", "TERM": "xterm-256color", "LC_ALL": "C.UTF-8",
               "CONVOD_SOCKET": f"{HOME}/s", "PS1": "$ ", "PAGER": ""}
try:
    picture = draw(record())
finally:
    subprocess.run(["tmux", "-S", SOCKET, "kill-server"], capture_output=True)
    subprocess.run([f"{PROGRAMS}/convo", "stop", "-q"], env=ENVIRONMENT)
    shutil.rmtree(HOME, ignore_errors=True)
with open(OUT, "w") as file:
    file.write(picture)
print(f"{OUT}: {len(picture)} bytes")
