"""TLS and proxies: 30 cases against servers with certificates of their own making and against `mitmproxy` with its own CA.

    python3 Tests/External/tls.py .build/debug [--only expired,407] [--few]

Needs `mitmproxy` (PyPI, which brings `cryptography`). Each case is a daemon of its own with one upstream (or a route of two), one
prompt, and what must come of it: an answer, or a failure of one kind with the words that say what stands in the way, after so many
tries, and without the proxy's password in anything that was said. `--few` leaves out what differs only in the
place of a setting. Exit code 1 when a case fails.
"""
import argparse, base64, datetime, http.server, ipaddress, json, os, re, socket, ssl, subprocess, sys, tempfile, threading, time
from concurrent.futures import ThreadPoolExecutor
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from daemon import Daemon, Failed, free_port

PASSWORD = "pr0xy-S3cret-of-theirs"


class Makers:
    """A CA, and certificates that it signs."""

    def __init__(self, directory, name):
        self.directory, self.name, self.key = directory, name, ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self.sign(self.subject, self.key, None, -1, 3650, is_ca=True)
        self.file = self.write(f"{name}.pem", self.certificate.public_bytes(serialization.Encoding.PEM))

    def write(self, name, data):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def sign(self, subject, key, names, start, end, is_ca=False):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.subject).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now + datetime.timedelta(days=start))
                   .not_valid_after(now + datetime.timedelta(days=end))
                   .add_extension(x509.BasicConstraints(is_ca, None), critical=True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def leaf(self, name, names=(x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))), start=-1, end=30):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.sign(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, names, start, end)
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return self.write(f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM) + pem)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/token"):
            return self.answer("application/json", json.dumps({"access_token": "t" * 40, "expires_in": 3600}))
        if "streamGenerateContent" in self.path:
            chunk = {"candidates": [{"content": {"parts": [{"text": "fine"}]}, "finishReason": "STOP"}]}
            return self.answer("text/event-stream", f"data: {json.dumps(chunk)}\r\n\r\n")
        chunks = [{"delta": {"content": "fine"}}, {"delta": {}, "finish_reason": "stop"}]
        text = "".join("data: %s\n\n" % json.dumps({"choices": [{"index": 0, **c}]}) for c in chunks) + "data: [DONE]\n\n"
        self.answer("text/event-stream", text)

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


def server(certificate=None):
    """Speaks Chat Completions, Gemini's dialect and OAuth; with TLS where there is a certificate. Returns its port."""
    class Quiet(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass

        def finish_request(self, request, address):
            if certificate:  # in the connection's own thread
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate)
                request = context.wrap_socket(request, server_side=True)
            super().finish_request(request, address)

    made = Quiet(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return made.server_address[1]


def raw(answer):
    """A listener that reads something, answers these bytes, if any, and closes. Returns its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve():
        while True:
            connection, _ = listener.accept()
            try:
                connection.recv(65536)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(65536)
            except OSError:
                pass
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


class Proxy:
    """mitmproxy, which sends what goes to upstream.test to a plain server of ours; `auth` is `name:password`."""

    def __init__(self, directory, target, auth=None):
        self.port = free_port()
        words = ["mitmdump", "-q", "--listen-host", "127.0.0.1", "-p", str(self.port), "--set", f"confdir={directory}", "--set",
                 "connection_strategy=lazy", "--map-remote", f"|https?://upstream.test|http://127.0.0.1:{target}"]
        if auth:
            words += ["--proxyauth", auth]
        words[0] = os.path.join(os.path.dirname(sys.executable), "mitmdump")
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.ca = os.path.join(directory, "mitmproxy-ca-cert.pem")

    def wait(self):
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                if os.path.exists(self.ca):
                    return self
            except OSError:
                pass
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit("mitmproxy does not start")
            threading.Event().wait(0.05)


class Case:
    """One way to a server. `words` must stand in the failure; without them the answer must come. `tries` are attempts of
    the turn."""

    def __init__(self, name, base, words=None, tries=1, ca=None, env={}, google=None, second=None, few=True):
        self.name, self.base, self.words, self.tries, self.ca = name, base, words, tries, ca
        self.env, self.google, self.second, self.few = env, google, second, few

    def config(self):
        one = {"kind": "openai", "baseURL": self.base, "model": "m"}
        if self.google:
            one = {"kind": "gemini", "baseURL": self.base, "model": "m",
                   "credentials": {"serviceAccount": self.google[0], "tokenURL": self.google[1]}}
        if self.ca:
            one["caFile"] = self.ca
        upstreams = {"a": one}
        if self.second:
            upstreams["b"] = {"kind": "openai", "baseURL": self.second, "model": "m"}
        return {"upstreams": upstreams, "routes": {"default": list(upstreams)}, "retry": {"base": "1ms"}}

    def run(self, programs):
        """What is wrong, None when all is well."""
        with Daemon(programs, self.config(), self.env) as daemon, daemon.client(keep=True) as client:
            client.new("s")
            error, turn = None, None
            try:
                answer = client.prompt("s", "hello", seconds=60)
                turn = answer["_meta"]["convod"]["turnId"]
            except Failed as failed:
                error = failed.error
                turn = error["data"].get("turnId")
            got = error["message"] if error else "an answer"
            tries = len(client.call("_convod/turn/get", turnId=turn).get("attempts", [])) if turn else 0
            test = daemon.convo("upstreams", "test", "a")
            with open(daemon.log, "rb") as f:
                said = bytes(client.heard) + f.read() + test.stdout + test.stderr
            for secret in (PASSWORD, base64.b64encode(f"me:{PASSWORD}".encode()).decode()):
                if secret.encode() in said:
                    return f"the proxy's password was told: {got}"
            if self.words is None:
                return None if not error and (self.second or tries == self.tries) else f"{got}, {tries} tries"
            if not error:
                return "an answer came"
            if not re.search(self.words, got):
                return f"it says: {got}"
            if tries != self.tries:
                return f"{tries} tries, not {self.tries}: {got}"


def cases(directory):
    own, other = Makers(directory, "own-ca"), Makers(directory, "other-ca")
    plain, good = server(), server(own.leaf("good"))
    tls = f"https://127.0.0.1:{good}"
    hashed = os.path.join(directory, "hashed")
    os.mkdir(hashed)
    os.symlink(own.file, os.path.join(hashed, "own.pem"))
    subprocess.run(["openssl", "rehash", hashed], check=True)
    nothing = other.write("nothing.pem", b"no certificate is here\n")
    selfish = Makers(directory, "self")
    alone = selfish.write("alone.pem", b"")
    with open(alone, "wb") as f:
        f.write(selfish.certificate.public_bytes(serialization.Encoding.PEM))
        f.write(selfish.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    account = own.write("account.json", json.dumps({
        "type": "service_account", "client_email": "a@b.example", "private_key": key, "private_key_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token"}).encode())
    os.chmod(account, 0o600)
    home = os.path.join(directory, "mitm")
    free = Proxy(home, plain).wait()
    guarded = Proxy(home, plain, f"me:{PASSWORD}").wait()
    here = f"127.0.0.1:{free.port}"
    dead, closed = free_port(), raw(b"")
    to = lambda port, login="": {"https_proxy": f"http://{login}127.0.0.1:{port}", "http_proxy": f"http://{login}127.0.0.1:{port}"}
    far, farPlain = "https://upstream.test", "http://upstream.test"
    unknown, login = "signed by nobody known here", f"127.0.0.1:{guarded.port}' wants a name and a password|wants a name and a password"
    refusing = lambda status: raw(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
    return [free.process, guarded.process], [
        Case("an issuer that nobody knows", tls, unknown),
        Case("caFile", tls, ca=own.file),
        Case("SSL_CERT_FILE", tls, env={"SSL_CERT_FILE": own.file}),
        Case("SSL_CERT_DIR", tls, env={"SSL_CERT_DIR": hashed}, few=False),
        Case("caFile beside an SSL_CERT_FILE of others", tls, ca=own.file, env={"SSL_CERT_FILE": other.file}, few=False),
        Case("caFile of another issuer", tls, unknown, ca=other.file),
        Case("a certificate that signs itself", f"https://127.0.0.1:{server(alone)}", unknown, few=False),
        Case("an expired certificate", f"https://127.0.0.1:{server(own.leaf('old', start=-30, end=-1))}", "has expired", ca=own.file),
        Case("a certificate of tomorrow", f"https://127.0.0.1:{server(own.leaf('new', start=1))}", "not valid yet", ca=own.file, few=False),
        Case("a certificate for another name", f"https://127.0.0.1:{server(own.leaf('else', [x509.DNSName('else.test')]))}",
             "for another name", ca=own.file),
        Case("a caFile that is not there", tls, "'caFile' or SSL_CERT_FILE names cannot be read", ca=own.file + ".gone"),
        Case("a caFile without a certificate", tls, "'caFile' or SSL_CERT_FILE names cannot be read", ca=nothing, few=False),
        Case("TLS to a server without", f"https://127.0.0.1:{plain}", f"'127.0.0.1:{plain}' does not speak TLS"),
        Case("no TLS to a server with it", f"http://127.0.0.1:{good}", "upstream", tries=3, few=False),
        Case("a handshake that is cut", f"https://127.0.0.1:{closed}", "cannot be reached", tries=3, few=False),
        Case("a token from an issuer that nobody knows", f"http://127.0.0.1:{plain}", unknown, google=(account, tls + "/token")),
        Case("a token with caFile", f"http://127.0.0.1:{plain}", google=(account, tls + "/token"), ca=own.file),
        Case("a route whose first has no good certificate", tls, second=f"http://127.0.0.1:{plain}"),
        Case("a proxy that opens TLS", far, unknown, env=to(free.port)),
        Case("a proxy that opens TLS, and caFile", far, ca=free.ca, env=to(free.port)),
        Case("a proxy that opens TLS, and SSL_CERT_FILE", far, env={**to(free.port), "SSL_CERT_FILE": free.ca}, few=False),
        Case("a proxy without TLS", farPlain, env=to(free.port)),
        Case("a proxy that wants a login, 407", far, login, env=to(guarded.port)),
        Case("a proxy that wants a login for plain HTTP, 407", farPlain, login, env=to(guarded.port), few=False),
        Case("a proxy with a wrong login, 407", far, login, env=to(guarded.port, f"you:{PASSWORD}@"), few=False),
        Case("a proxy with a login", far, ca=free.ca, env=to(guarded.port, f"me:{PASSWORD}@")),
        Case("a dead proxy", far, f"the proxy '127.0.0.1:{dead}' does not answer", tries=3, env=to(dead, f"me:{PASSWORD}@")),
        Case("a proxy without an address", far, "the proxy 'proxy.invalid:3128' does not answer", tries=3,
             env={"https_proxy": "http://proxy.invalid:3128"}, few=False),
        Case("a proxy that refuses", far, r"does not let through to 'upstream.test' \(HTTP 403\)", env=to(refusing(403))),
        Case("a proxy that finds nobody", far, r"does not let through to 'upstream.test' \(HTTP 502\)", tries=3, env=to(refusing(502))),
    ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs")
    parser.add_argument("--only", default="")
    parser.add_argument("--few", action="store_true")
    asked = parser.parse_args()
    programs = os.path.abspath(asked.programs)
    with tempfile.TemporaryDirectory() as directory:
        processes, all_cases = cases(directory)
        wanted = [w for w in asked.only.split(",") if w]
        chosen = [c for c in all_cases if (c.few or not asked.few) and (not wanted or any(w in c.name for w in wanted))]
        failed = 0
        with ThreadPoolExecutor(4) as pool:
            for case, wrong in zip(chosen, pool.map(lambda c: c.run(programs), chosen)):
                print(f"{'ok  ' if wrong is None else 'FAIL'} {case.name}{'' if wrong is None else ': ' + wrong}", flush=True)
                failed += wrong is not None
        for process in processes:
            process.terminate()
            process.wait()
    print(f"{len(chosen)} cases, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
