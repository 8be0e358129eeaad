#!/usr/bin/env python3
"""Hostile conversations as pages, opened in headless Chromium: nothing of them runs, and nothing is loaded.

    python3 Tests/External/html_pages.py .build/release [--shots DIRECTORY]

Texts that try it in every part, role and place go into a session; a server listens for whatever they would load. Each page is opened
with its own script running (a search must find, and hide the rest), and its document is looked at: no title but its own, no element
of another's, no request. With --shots the pages are drawn at 390, 800 and 1,400 pixels, light and dark, and as print.
"""
import argparse, http.server, os, re, shutil, subprocess, sys, tempfile, threading
from daemon import Daemon

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def hostile(port):
    at = f"http://127.0.0.1:{port}"
    run = "document.title='pwned'"
    return [
        f"<script>{run}</script>", f"<img src=x onerror={run}>", f"<svg onload={run}>", f"![x]({at}/image.png)", f"<img src='{at}/raw.png'>",
        f"[click](javascript:{run})", f"[click](data:text/html,<script>{run}</script>)", f"<a href='javascript:{run}'>x</a>",
        f"<iframe src='{at}/frame'></iframe>", f"<link rel=stylesheet href='{at}/style.css'>", f"<style>@import '{at}/import.css';</style>",
        f"<meta http-equiv=refresh content='0;url={at}/refresh'>", f"<base href='{at}/'>", f"<form action='{at}/form'><input autofocus onfocus={run}></form>",
        f"<object data='{at}/object'></object>", f"<video src='{at}/video' autoplay></video>", "```\n</code></pre><script>" + run + "</script>\n```",
        "```js\"><script>" + run + "</script>\nx\n```", "</article></main></body><script>" + run + "</script>", "<!-- --><script>" + run + "</script> -->",
        "]]><script>" + run + "</script>", f"[a]: {at}/ref 'x'\n\n![b][a]", "> <script>" + run + "</script>", "| a |\n|---|\n| <script>" + run + "</script> |",
        "a \u202Egnp.exe \u2066b\u2069", "&lt;script&gt;" + run + "&lt;/script&gt;", "<style>*{background:url(" + at + "/bg)}</style>", "\u0000<script>" + run + "</script>",
        "<details open ontoggle=" + run + ">", f"<https://127.0.0.1:{port}/auto>", "`<script>" + run + "</script>`", "~~~html\n<script>" + run + "</script>",
    ]


def chromium(*words):
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        raise SystemExit("there is no chromium here: apt-get install chromium")
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run([program, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--virtual-time-budget=3000", *words],
                              capture_output=True, timeout=120)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--shots")
    arguments = parser.parse_args()
    asked, bad = [], []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {"upstreams": {"echo": {"kind": "echo"}}, "routes": {"default": ["echo"]}}
    with tempfile.TemporaryDirectory() as folder, Daemon(os.path.abspath(arguments.programs), config) as daemon:
        client = daemon.client()
        texts = hostile(server.server_port)
        title = "<script>document.title='pwned'</script>"
        client.call("session/new", cwd="/tmp", mcpServers=[], _meta={"convod": {"sessionId": "hostile", "system": texts[0]}})
        messages = []
        for text in texts:
            messages += [
                {"role": "user", "content": [{"type": "text", "text": text}]},
                {"role": "assistant", "content": [{"type": "thought", "text": text}, {"type": "text", "text": text},
                                                  {"type": "tool_call", "id": "c", "name": text[:60], "arguments": {"a": text}}]},
                {"role": "tool", "content": [{"type": "tool_result", "toolCallId": "c", "content": text}]}]
        messages.append({"role": "user", "content": [
            {"type": "image", "mimeType": "image/png", "data": PNG}, {"type": "image", "mimeType": "image/svg+xml", "data": "PHN2Zz4="},
            {"type": "image", "mimeType": "image/png", "uri": f"http://127.0.0.1:{server.server_port}/uri.png"},
            {"type": "resource", "resource": {"uri": "file:///<script>", "text": texts[0]}}]})
        client.call("_convod/message/append", sessionId="hostile", messages=messages)
        first = client.call("_convod/message/list", sessionId="hostile", limit=3)["messages"]
        client.call("_convod/branch/rewind", sessionId="hostile", before=first[2]["id"])
        client.call("_convod/message/append", sessionId="hostile", messages=messages)
        client.call("_convod/session/set", sessionId="hostile", title=title)
        client.call("session/new", cwd="/tmp", mcpServers=[], _meta={"convod": {"sessionId": "a:b", "ifExists": "resume"}})
        client.prompt("a:b", "# Plan\n\n| City | Days |\n|---|--:|\n| 東京 | 3 |\n\n```python\nprint('hello')\n```\n\n> a *quote* and [a link](https://example.com/)\n\n- [x] done\n- [ ] to do")
        client.call("_convod/session/set", sessionId="a:b", title="A trip to 東京")
        pages = os.path.join(folder, "pages")
        made = daemon.convo("export", "--all", "-f", "html", "-o", pages)
        if made.returncode:
            raise SystemExit(made.stderr.decode())
        for name in sorted(os.listdir(pages)):
            path = os.path.join(pages, name)
            source = open(path, encoding="utf-8").read()
            dom = chromium("--dump-dom", "file://" + path).stdout.decode()
            shown = re.search(r"<title>(.*?)</title>", dom, re.S)
            if not shown or "pwned" == shown.group(1).strip():
                bad.append(f"{name}: its title is {shown and shown.group(1)}")
            body = re.sub(r"<script>const q=.*?</script>", "", dom, flags=re.S)
            for tag in ("<script", "<iframe", "<object", "<video", "<form", "<svg", "<link", "<base", "<style>@", "onerror=\"", "onload=\"", 'href="javascript', 'href="data'):
                if tag in body.replace("<style>:root", ""):
                    bad.append(f"{name}: {tag} is an element or attribute of it")
            if re.search(r'src="(?!data:image/(png|jpeg|gif|webp);base64,)', body):
                bad.append(f"{name}: something is loaded")
            # The page's own search, by a copy that types.
            typing = os.path.join(folder, "typing.html")
            word = "東京" if name != "hostile.html" else "onfocus"
            open(typing, "w", encoding="utf-8").write(re.sub(r"<meta http-equiv=\"Content-Security-Policy\".*?>", "", source).replace(
                "</body>", f"<script>q.value='{word}';q.dispatchEvent(new Event('input'));</script></body>"))
            typed = chromium("--dump-dom", "file://" + typing).stdout.decode()
            hidden, found = typed.count('hidden=""'), re.search(r"(\d+) found", typed)
            if not found or int(found.group(1)) == 0 or name == "hostile.html" and hidden == 0:
                bad.append(f"{name}: its search finds {found and found.group(1)}, {hidden} are hidden")
            if arguments.shots:
                os.makedirs(arguments.shots, exist_ok=True)
                for width in (390, 800, 1400):
                    for dark in (False, True):
                        shot = os.path.join(arguments.shots, f"{name}.{width}.{'dark' if dark else 'light'}.png")
                        chromium(f"--screenshot={shot}", f"--window-size={width},900", *(["--force-dark-mode", "--enable-features=WebContentsForceDark"] if False else []),
                                 *(["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]), "file://" + path)
                chromium(f"--print-to-pdf={os.path.join(arguments.shots, name)}.pdf", "file://" + path)
        if asked:
            bad.append(f"loaded: {asked}")
        for line in bad:
            print(line)
        print(f"{len(os.listdir(pages))} pages of {len(texts)} hostile texts in every part and role: {len(bad)} faults, {len(asked)} requests")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
