#!/usr/bin/env python3
"""A Debian package from its installation to its removal, with a chat open while it is upgraded.

    python3 Tests/External/package.py convod_VERSION_ARCH.deb

Installs into this machine and removes it again, so it wants root on a Debian that may be thrown away; needs no running
systemd."""
import json, os, subprocess, sys, tempfile, threading

from daemon import Client

FILES = ["/usr/bin/convod", "/usr/bin/convo", "/usr/lib/systemd/system/convod.service", "/usr/lib/systemd/system/convod.socket",
         "/usr/lib/systemd/user/convod.service", "/usr/lib/sysusers.d/convod.conf", "/usr/lib/tmpfiles.d/convod.conf",
         "/usr/share/bash-completion/completions/convo", "/usr/share/man/man8/convod.8.gz", "/usr/share/doc/convod/copyright"]
NOBODY = 65534


def run(*words, **more):
    done = subprocess.run(words, capture_output=True, text=True, **more)
    return done.returncode, done.stdout + done.stderr


def must(*words, **more):
    code, said = run(*words, **more)
    if code != 0:
        raise SystemExit(f"{' '.join(words)} ended with {code}: {said}")
    return said


def later(package, out):
    """The same package as of a later version."""
    tree = os.path.join(out, "tree")
    must("dpkg-deb", "-R", package, tree)
    control = os.path.join(tree, "DEBIAN/control")
    with open(control) as f:
        text = f.read()
    version = next(line for line in text.splitlines() if line.startswith("Version: "))
    with open(control, "w") as f:
        f.write(text.replace(version, version + "+1"))
    made = os.path.join(out, "later.deb")
    must("dpkg-deb", "--root-owner-group", "--build", tree, made)
    return made


def expect(condition, words):
    if not condition:
        raise SystemExit(words)


def main():
    package = os.path.abspath(sys.argv[1])
    expect(os.geteuid() == 0, "this needs root")
    expect(run("dpkg", "-s", "convod")[0] != 0, "convod is installed already")
    with tempfile.TemporaryDirectory() as out:
        os.chmod(out, 0o711)
        newer = later(package, out)
        must("dpkg", "-i", package)
        try:
            check(out, newer)
        finally:
            run("dpkg", "--purge", "convod")


def check(out, newer):
    for path in FILES:
        expect(os.path.exists(path), f"'{path}' is not there")
    user = must("getent", "passwd", "convod").split(":")
    expect(user[5] == "/var/lib/convod" and user[6].strip().endswith("nologin"), f"{user}")
    must("man", "-w", "convo") if os.path.exists("/usr/bin/man") else None
    print("installed: programs, units, completions, manual pages, the user convod")

    # A user's own daemon, and a chat that is open while the package is upgraded.
    home = os.path.join(out, "home")
    os.mkdir(home, 0o700)
    os.chown(home, NOBODY, NOBODY)
    env = {"HOME": home, "PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": home, "OLLAMA_HOST": "127.0.0.1:9"}
    as_user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    must(*as_user, "convo", "send", "-q", "-u", "echo", "--new", "talk", "hello", env=env, cwd="/")
    pid = json.loads(must(*as_user, "convo", "rpc", "_convod/server/info", env=env, cwd="/"))["pid"]
    answer = {}

    def chat():
        answer["said"] = must(*as_user, "convo", "send", "-u", "echo", "-s", "talk", "count to 500", env=env, cwd="/")

    thread = threading.Thread(target=chat)
    thread.start()
    for _ in range(200):
        found = must(*as_user, "convo", "rpc", "_convod/session/get", '{"sessionId": "talk"}', env=env, cwd="/")
        if json.loads(found).get("running"):
            break
        threading.Event().wait(0.02)
    else:
        raise SystemExit("the answer did not begin")
    must("dpkg", "-i", newer)
    expect(thread.is_alive(), "the answer was not open while the package was upgraded")
    thread.join()
    expect("499" in answer["said"] and "500" in answer["said"], f"the open answer was cut: {answer['said'][-80:]}")
    info = json.loads(must(*as_user, "convo", "rpc", "_convod/server/info", env=env, cwd="/"))
    expect(info["pid"] == pid, "the user's daemon did not stay")
    must(*as_user, "convo", "restart", env=env, cwd="/")
    expect("hello" in must(*as_user, "convo", "show", "talk", env=env, cwd="/"), "the conversation is not there")
    must(*as_user, "convo", "stop", env=env, cwd="/")
    print("upgraded: an open answer came whole from the daemon that ran, and the new one has the conversation")

    # The system's daemon as its units start it: activated, as its own user, for members of its group.
    os.makedirs("/run/convod", exist_ok=True)
    os.makedirs("/var/lib/convod", mode=0o700, exist_ok=True)
    uid, gid = int(user[2]), int(user[3])
    os.chown("/var/lib/convod", uid, gid)
    daemon = subprocess.Popen(
        ["sh", "-c", "umask 0117; exec systemd-socket-activate -l /run/convod/convod.sock -E STATE_DIRECTORY=/var/lib/convod "
                     f"setpriv --reuid={uid} --regid={gid} --clear-groups --inh-caps=-all sh -c 'LISTEN_PID=$$ exec /usr/bin/convod'"],
        env={"PATH": "/usr/bin:/bin", "HOME": "/var/lib/convod"}, stderr=subprocess.PIPE)
    for _ in range(200):
        if os.path.exists("/run/convod/convod.sock"):
            break
        threading.Event().wait(0.05)
    os.chown("/run/convod/convod.sock", 0, gid)
    os.chmod("/run/convod/convod.sock", 0o660)
    member = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", f"--groups={gid}"]
    system = {**env, "CONVOD_SOCKET": "/run/convod/convod.sock"}
    said = must(*member, "convo", "send", "-q", "-u", "echo", "--new", "shared", "to the system", env=system, cwd="/")
    expect("to the system" in said, said)
    expect(run(*as_user, "convo", "ls", env=system, cwd="/")[0] != 0, "who is not in the group got in")
    expect(os.stat("/var/lib/convod/convod.db").st_uid == uid, "the database is not the daemon's")
    with Client("/run/convod/convod.sock") as client:
        found = client.call("_convod/session/find", owner="*")["sessions"]
        expect([s["owner"] for s in found] == [NOBODY], f"{found}")
    daemon.terminate()
    daemon.wait(20)
    os.remove("/run/convod/convod.sock")
    print("the system's daemon serves members of its group, each as who they are, and nobody else")

    must("dpkg", "-r", "convod")
    left = [path for path in FILES if os.path.exists(path)]
    expect(not left, f"left behind: {left}")
    said = must("dpkg", "--purge", "convod")
    expect(os.path.exists("/var/lib/convod/convod.db") and "stay" in said, said)
    for name in os.listdir("/var/lib/convod"):
        os.remove(os.path.join("/var/lib/convod", name))
    os.rmdir("/var/lib/convod")
    print("removed: nothing of the package is left, the conversations stay and are named")


if __name__ == "__main__":
    main()
