"""Google credentials against PyPI `google-auth`: what it would send for the same key file, convod must send too.

    python3 -m venv /tmp/ga && /tmp/ga/bin/pip install google-auth cryptography
    /tmp/ga/bin/python Tests/External/google_auth.py .build/debug

A server on loopback plays Google's token endpoint, the metadata server and Gemini. It takes an assertion only when
`google.auth.jwt` takes it, and a prompt only with a bearer that it gave out and that is neither expired nor revoked.
The real `convod` and `convo` run against it: service account, early renewal and expiry, a revoked token, refusals in a
row, a wrong clock both ways, the metadata server, and a login whose refresh token changes at each use, over kill -9.
Exit code 1 when a check fails.
"""
import base64, email.utils, http.server, json, os, signal, stat, subprocess, sys, tempfile, threading, time, urllib.parse
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.auth import jwt
from google.oauth2 import service_account

SCOPES = ["https://www.googleapis.com/auth/generative-language.retriever"]
AUDIENCE = "https://oauth2.googleapis.com/token"
EMAIL = "bot@project.iam.gserviceaccount.com"
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
ANSWER = {"candidates": [{"content": {"role": "model", "parts": [{"text": "pong"}]}, "finishReason": "STOP", "index": 0}],
          "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}, "modelVersion": "gemini-x"}
bad = []


def check(holds, words):
    if not holds:
        bad.append(words)


def segment(token, index):
    text = token.split(".")[index]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


class Google:
    """What the server knows; one for each scenario."""

    def __init__(self, name, lifetime=3599, skew=0, refusing=False):
        self.name, self.lifetime, self.skew, self.refusing = name, lifetime, skew, refusing
        self.lock = threading.Lock()
        self.ends, self.revoked, self.refresh_token, self.login = {}, set(), "1//first", None
        self.asked, self.prompts, self.used = [], 0, []
        servers = [Server((host, 0), Handler) for host in ("127.0.0.1", "127.0.0.2")]
        for server in servers:
            server.google = self
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.base = "http://127.0.0.1:%d" % servers[0].server_port
        self.metadata = "127.0.0.2:%d" % servers[1].server_port

    def check(self, holds, words):
        check(holds, f"{self.name}: {words}")

    def mint(self):
        # Longer than 1 KB and ending in dots, as Google's may be.
        token = "ya29.%s-%d%s...." % (self.name.replace(" ", "-"), len(self.ends), "x" * 1100)
        self.ends[token] = time.monotonic() + self.lifetime
        return {"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer"}

    def token(self, headers, body):
        """A POST to the token endpoint; gives status and answer."""
        text = body.decode()
        self.asked.append(text)
        form = dict(urllib.parse.parse_qsl(text, strict_parsing=True))
        self.check(headers.get("Content-Type", "").split(";")[0] == "application/x-www-form-urlencoded", "content type")
        if form.get("grant_type") == "refresh_token":
            self.check(set(form) == {"grant_type", "client_id", "client_secret", "refresh_token"}, f"fields {set(form)}")
            if form["refresh_token"] != self.refresh_token:
                return 400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
            self.refresh_token = "1//n%d" % len(self.asked)
            return 200, {**self.mint(), "refresh_token": self.refresh_token}
        if self.skew:
            return 400, {"error": "invalid_grant", "error_description": "Invalid JWT: Token must be a short-lived token "
                         "(60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."}
        self.assertion(form, text)
        return 200, self.mint()

    def assertion(self, form, text):
        """Compares with what google-auth sends for the same key file."""
        said = form.get("assertion", "")
        self.check("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer" in text.split("&"), "grant_type is not encoded")
        try:
            jwt.decode(said, certs=PUBLIC, audience=AUDIENCE, clock_skew_in_seconds=5)
            signature = said.split(".")[2]
            KEY.public_key().verify(base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)),
                                    said.rsplit(".", 1)[0].encode(), padding.PKCS1v15(), hashes.SHA256())
        except Exception as error:
            return self.check(False, f"the assertion is refused: {error!r}")
        theirs = self.theirs
        self.check(set(form) == set(theirs), f"fields {set(form)}, google-auth sends {set(theirs)}")
        self.check(form["grant_type"] == theirs["grant_type"], "grant_type")
        self.check(segment(said, 0) == segment(theirs["assertion"], 0), f"header {segment(said, 0)}")
        ours, other = segment(said, 1), segment(theirs["assertion"], 1)
        self.check({k: v for k, v in ours.items() if k not in ("iat", "exp")}
                   == {k: v for k, v in other.items() if k not in ("iat", "exp")}, f"claims {ours}, google-auth's {other}")
        self.check(ours["exp"] - ours["iat"] == other["exp"] - other["iat"] == 3600, "lifetime of the assertion")
        self.check(abs(ours["iat"] - time.time()) < 5, "iat is not now")

    def bearer(self, headers, is_prompt):
        """Whether a request to Gemini may pass; 401 otherwise."""
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        if is_prompt:
            self.prompts += 1
            self.used.append(token)
        self.check("x-goog-api-key" not in {k.lower() for k in headers}, "a key beside the token")
        if self.login:
            with open(self.login) as f:
                self.check(json.load(f)["refresh_token"] == self.refresh_token, "the token is used before the file is written")
            self.check(stat.S_IMODE(os.stat(self.login).st_mode) == 0o600, "the login's file is not 0600")
        self.check(time.monotonic() < self.ends.get(token, 0) + 0.5, "an expired or unknown token is used")
        return not (self.refusing and is_prompt) and token in self.ends and token not in self.revoked


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(time.time() + self.server.google.skew, usegmt=True)

    def answer(self, status, body, kind="application/json", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        google, path = self.server.google, urllib.parse.urlsplit(self.path)
        with google.lock:
            if path.path == "/computeMetadata/v1/instance/service-accounts/default/token":
                google.asked.append(self.path)
                google.check(self.headers.get("Metadata-Flavor") == "Google", "Metadata-Flavor is missing")
                google.check(urllib.parse.parse_qs(path.query) == {"scopes": [",".join(SCOPES)]}, f"scopes {path.query}")
                return self.answer(200, google.mint(), Metadata_Flavor="Google")
            if not google.bearer(self.headers, False):
                return self.unauthenticated()
            model = {"name": "models/gemini-x", "inputTokenLimit": 100000, "supportedGenerationMethods": ["generateContent"]}
            self.answer(200, {"models": [model]} if path.path.endswith("/models") else model)

    def do_POST(self):
        google = self.server.google
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with google.lock:
            if self.path == "/token":
                return self.answer(*google.token(self.headers, body))
            if not google.bearer(self.headers, ":streamGenerateContent" in self.path):
                return self.unauthenticated()
            if self.path.endswith(":countTokens"):
                return self.answer(200, {"totalTokens": 1})
            self.answer(200, b"data: " + json.dumps(ANSWER).encode() + b"\r\n\r\n", "text/event-stream")

    def unauthenticated(self):
        self.answer(401, {"error": {"code": 401, "message": "Request had invalid authentication credentials.", "status": "UNAUTHENTICATED"}})


def theirs(path):
    """The form that google-auth sends for a key file."""
    sent = []

    class Response:
        status, headers, data = 200, {}, b'{"access_token":"x","expires_in":3599}'

    def request(url, method="GET", body=None, headers=None, **_):
        sent.append((url, body))
        return Response

    service_account.Credentials.from_service_account_file(path, scopes=SCOPES).refresh(request)
    url, body = sent[0]
    return url, dict(urllib.parse.parse_qsl(body.decode()))


class Convo:
    """A daemon with one configuration, in its own home."""

    def __init__(self, programs, google, credentials, **environment):
        self.programs, self.google = programs, google
        self.directory = tempfile.TemporaryDirectory()
        home = self.directory.name
        self.key, self.login = os.path.join(home, "key.json"), os.path.join(home, "login.json")
        self.write(self.key, {"type": "service_account", "project_id": "p", "private_key_id": "kid1", "private_key": PEM,
                              "client_email": EMAIL, "client_id": "1", "token_uri": google.base + "/token"})
        self.write(self.login, {"type": "authorized_user", "client_id": "c", "client_secret": "GOCSPX-hush", "refresh_token": "1//first"})
        url, google.theirs = theirs(self.key)
        google.check(url == google.base + "/token", "google-auth posts elsewhere")
        credentials = credentials(self)
        config = os.path.join(home, "config.json5")
        self.write(config, {"upstreams": {"gemini": {"kind": "gemini", "baseURL": google.base, "model": "gemini-x", "credentials": credentials}}})
        self.env = {"HOME": home, "PATH": "/usr/bin:/bin", "CONVOD_CONFIG": config, "CONVOD_SOCKET": home + "/s.sock", **environment}
        self.said = ""

    @staticmethod
    def write(path, value):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            json.dump(value, f)

    def run(self, *words):
        done = subprocess.run([os.path.join(self.programs, "convo"), *words], env=self.env, capture_output=True, text=True, timeout=60)
        self.said += done.stdout + done.stderr
        return done

    def send(self):
        return self.run("send", "--new", "t%d" % time.monotonic_ns(), "ping")

    def good(self, words):
        done = self.send()
        self.google.check(done.returncode == 0 and done.stdout.strip() == "pong", f"{words}: {done.returncode}: {done.stderr.strip()}")

    def kill(self):
        """Kills the daemon and waits until the kernel has closed what it held."""
        pid = json.loads(self.run("status", "--json").stdout)["pid"]
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                with open(f"/proc/{pid}/stat") as stat_file:
                    if stat_file.read().rsplit(")", 1)[1].split()[0] == "Z":
                        return
            except OSError:
                return
            threading.Event().wait(0.005)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run([os.path.join(self.programs, "convo"), "stop"], env=self.env, capture_output=True, timeout=30)
        for root, _, names in os.walk(self.directory.name):
            for name in names:
                if name.endswith(".log"):
                    with open(os.path.join(root, name), errors="replace") as f:
                        self.said += f.read()
        secrets = ["ya29.", "eyJ", "1//", "GOCSPX", "PRIVATE KEY", PEM.splitlines()[3]]
        self.google.check(not any(secret in self.said for secret in secrets), "a secret in what was printed or logged")
        self.directory.cleanup()


def service(convo):
    return {"serviceAccount": convo.key}


def service_accounts(programs):
    google = Google("service account")
    with Convo(programs, google, service) as convo:
        convo.good("first prompt")
        convo.good("second prompt")
        google.check(len(google.asked) == 1, f"{len(google.asked)} tokens for two prompts")
        google.revoked.update(google.ends)
        google.prompts = 0
        convo.good("prompt with a revoked token")
        google.check(len(google.asked) == 2 and google.prompts <= 2, f"after a 401: {len(google.asked)} tokens, {google.prompts} prompts")


def early_renewal(programs):
    google = Google("early", lifetime=3)
    with Convo(programs, google, service) as convo:
        convo.good("first prompt")
        convo.good("prompt with a stale token")
        end = time.monotonic() + 5
        while len(google.asked) < 2 and time.monotonic() < end:
            threading.Event().wait(0.02)  # the renewal goes on behind the answer
        google.check(len(google.asked) >= 2, "a stale token is not renewed")
        threading.Event().wait(4)  # until all have expired
        convo.good("prompt after the end of all tokens")
        google.check(google.used[-1] not in google.used[:-1], "an old token is used")


def refusals(programs):
    google = Google("refusals", refusing=True)
    with Convo(programs, google, service) as convo:
        done = convo.send()
        google.check(done.returncode != 0, "a refused prompt succeeds")
        google.check(google.prompts == 2 and len(google.asked) == 2, f"two 401 in a row: {google.prompts} prompts, {len(google.asked)} tokens")


def wrong_clock(programs, hours):
    google = Google("clock %+d h" % hours, skew=hours * -3600)
    with Convo(programs, google, service) as convo:
        done = convo.send()
        words = "2 h ahead of" if hours > 0 else "2 h behind"
        google.check(done.returncode != 0 and words in done.stderr, f"no clock in: {done.stderr.strip()}")
        google.check(len(google.asked) == 1, f"{len(google.asked)} tries")


def metadata_server(programs):
    google = Google("metadata")
    # 127.0.0.2 is not among the names that never go through a proxy, so only the request's own rule keeps it off.
    with Convo(programs, google, lambda _: {"metadataServer": True}, GCE_METADATA_HOST=google.metadata,
               http_proxy="http://127.0.0.1:1") as convo:
        convo.good("prompt")
        google.check(len(google.asked) == 1, f"{len(google.asked)} tokens")


def login(programs):
    google = Google("login", lifetime=2)
    with Convo(programs, google, lambda convo: {"authorizedUser": convo.login, "tokenURL": google.base + "/token"}) as convo:
        google.login = convo.login
        convo.good("first prompt")
        convo.kill()
        convo.good("prompt after kill -9")
        threading.Event().wait(3)  # until the token has expired
        convo.good("prompt with the refresh token before last")
        google.refresh_token = "1//revoked-elsewhere"
        google.login = None
        threading.Event().wait(3)
        done = convo.send()
        google.check(done.returncode != 0 and "gcloud auth application-default login" in done.stderr, f"no advice in: {done.stderr.strip()}")


def main(programs):
    scenarios = [service_accounts, early_renewal, refusals, lambda p: wrong_clock(p, 2), lambda p: wrong_clock(p, -2), metadata_server, login]
    for scenario in scenarios:
        scenario(programs)
    for line in bad:
        print("FAIL", line)
    print(f"{len(scenarios)} scenarios with google-auth, {len(bad)} checks failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
