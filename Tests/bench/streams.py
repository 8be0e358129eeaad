"""W7 for agentic-api, which asks its server by the Responses API: run in the bench's copy, behind `bench.py prepare`.

    python streams.py [ROUNDS]

The bench's mock speaks Chat Completions only, so one is made of it that writes the same deltas as events of the Responses API
(https://platform.openai.com/docs/api-reference/responses-streaming). Each request is stored (`store`), with no conversation,
since the load asks the same again and again and a history of hundreds of turns would be read for each. Medians are printed beside
the direct call's."""
import json, os, socket, statistics, subprocess, sys, tempfile, time
import proxies
from drivers.base import BENCH, BIN

PORT, UPSTREAM = 18083, 18084

EVENTS = r'''
static void chunk(Conn *c, const char *data, int n) {
    char h[16];
    put(&c->out, h, sprintf(h, "%x\r\n", n));
    put(&c->out, data, n);
    put(&c->out, "\r\n", 2);
}
static void say(Conn *c, const char *type, const char *members) {
    static long number;
    char b[2048];
    chunk(c, b, snprintf(b, sizeof b, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%ld,%s}\n\n", type, type, number++, members));
}
#define PLACE "\"item_id\":\"msg_1\",\"output_index\":0"
#define RESPONSE(status, output) "\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":1700000000,\"status\":\"" status "\"," \
    "\"model\":\"mock\",\"output\":[" output "],\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\"tools\":[]," \
    "\"usage\":{\"input_tokens\":1,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":1,\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":2}}"
#define ITEM(status, content) "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"" status "\",\"content\":[" content "]}"
#define TEXT(words) "{\"type\":\"output_text\",\"text\":\"" words "\",\"annotations\":[]}"
static void begin(Conn *c) {
    say(c, "response.created", RESPONSE("in_progress", ""));
    say(c, "response.in_progress", RESPONSE("in_progress", ""));
    say(c, "response.output_item.added", "\"output_index\":0,\"item\":" ITEM("in_progress", ""));
    say(c, "response.content_part.added", PLACE ",\"content_index\":0,\"part\":" TEXT(""));
}
static void delta(Conn *c) {
    char d[192];
    snprintf(d, sizeof d, PLACE ",\"content_index\":0,\"delta\":\"~t%lu~ word\"", (unsigned long)now_ns());
    say(c, "response.output_text.delta", d);
    c->left--;
}
static void finish(Conn *c) {
    say(c, "response.output_text.done", PLACE ",\"content_index\":0,\"text\":\"words\"");
    say(c, "response.content_part.done", PLACE ",\"content_index\":0,\"part\":" TEXT("words"));
    say(c, "response.output_item.done", "\"output_index\":0,\"item\":" ITEM("completed", TEXT("words")));
    say(c, "response.completed", RESPONSE("completed", ITEM("completed", TEXT("words"))));
    puts_(&c->out, "0\r\n\r\n");
    c->left = -1;
}
'''


def mock():
    """The bench's mock with other events; its name is its program's."""
    source = open(os.path.join(BENCH, "c", "upstream.c")).read()
    start, end = source.index("#define HEAD"), source.index("static void plain(")
    first = source.index("event(c, ", end)
    source = source[:start] + EVENTS + source[end:first] + "begin(c);" + source[source.index(";", source.index('"null")', first)) + 1:]
    path = os.path.join(BENCH, "c", "responses.c")
    open(path, "w").write(source)
    program = os.path.join(BIN, "responses")
    subprocess.run(["gcc", "-O2", "-Wall", "-o", program, path], check=True)
    return program


class Responses(proxies.Http):
    def start(self):
        self.proc = self.argv and subprocess.Popen(self.argv, env={**proxies.ENV, "RUST_LOG": "error"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(500):
            try:
                return socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                time.sleep(.02)
        raise SystemExit(f"nothing answers on {self.port}")

    def load(self, model):
        body = json.dumps({"model": model, "stream": True, "store": True, "input": "hi"})
        path = os.path.join(proxies.WORK, f"http-{self.name}.txt")
        with open(path, "w") as f:
            f.write(f"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}")
        return ["-p", str(self.port), "-w", "-f", path, "-m", proxies.END, "-k", proxies.OK]


def memory(target):
    """Resident MB with 256 streams open, at most."""
    load = subprocess.Popen([f"{BIN}/load", *target.load("mock-n8-i400000"), "-c", "256", "-s", "1", "-r", "1"], stdout=subprocess.DEVNULL)
    peak = 0
    while load.poll() is None:
        peak = max(peak, proxies.rss(target.proc.pid))
    return peak


def main(rounds):
    os.makedirs(proxies.WORK, exist_ok=True)
    upstream = subprocess.Popen([mock(), str(UPSTREAM)])
    try:
        with tempfile.TemporaryDirectory() as folder:
            server = os.path.join(os.path.dirname(sys.executable), "agentic-server")
            peer = Responses("agentic", PORT, [
                server, "--llm-api-base", f"http://127.0.0.1:{UPSTREAM}", "--skip-llm-ready-check", "--gateway-host", "127.0.0.1",
                "--gateway-port", str(PORT), "--db-url", f"sqlite://{folder}/a.db"])
            targets = [Responses("direct", UPSTREAM), peer]
            for target in targets:
                target.start()
                proxies.one(target, "ttft_1")
            idle = proxies.rss(peer.proc.pid)
            found = {(target.name, case): [] for target in targets for case in proxies.CASES}
            for _ in range(rounds):
                for case in proxies.CASES:
                    for target in targets:
                        found[target.name, case].append(proxies.one(target, case))
            for case in proxies.CASES:
                for target in targets:
                    runs = found[target.name, case]
                    if any(run["ok"] == 0 for run in runs):
                        raise SystemExit(f"{target.name} answered nothing in {case}")
                    middle = {what: statistics.median(run.get(what, 0) for run in runs) for what in (
                        "ttft_p50_us", "delta_p50_us", "delta_p99_us", "deltas_s", "cpu_us_per_delta")}
                    print(f"{case:9} {target.name:8}" + "".join(f"  {what} {number:,.1f}" for what, number in middle.items()), flush=True)
            print(f"resident memory: {idle} MB idle, {memory(peer)} MB with 256 streams")
            peer.stop()
    finally:
        upstream.kill()


main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
