#!/usr/bin/env python3
"""A disk that one user fills: what is stored can be read, room can be made, and a daemon starts.

    python3 Tests/External/full_disk.py .build/release [--size 24]

The database lies on a tmpfs of --size MiB; a client appends until that is full. Then: prompts are refused by the word, and nothing
of them is there; sessions can be listed and read, one can be purged, and behind that prompts are taken again; and where the daemon
ends on the full disk and starts again, all of that is so too. Needs the right to mount."""
import argparse, os, subprocess, tempfile, time

from daemon import Daemon, Failed

CONFIG = {"upstreams": {"echo": {"kind": "echo"}}, "routes": {"default": ["echo"]}}
TEXT = lambda words: [{"type": "text", "text": words}]  # noqa: E731


def append(client, session, words):
    return client.call("_convod/message/append", 30, sessionId=session, ifMissing="create", messages=[{"role": "user", "content": TEXT(words)}])


def fill(client, large):
    """Appends until there is no room, first much at one time and then little; gives how many were acknowledged, by session."""
    counts, number = {}, 0
    for size in (large, 4_000, 100):
        while True:
            number += 1
            session = f"s{number % 7}"
            try:
                append(client, session, f"#{number}# " + "x" * size)
            except Failed as failed:
                assert failed.kind == "disk_full", failed.error
                break
            counts[session] = counts.get(session, 0) + 1
    return counts


def look(client, counts):
    """Whether all that was acknowledged can be read."""
    for session, count in counts.items():
        found, cursor = 0, None
        while True:
            page = client.call("_convod/message/list", 30, sessionId=session, limit=500, **({"cursor": cursor} if cursor else {}))
            found += len(page["messages"])
            cursor = page.get("nextCursor")
            if not cursor:
                break
        assert found == count, f"{session} has {found} of {count}"


def refused(client, counts, session):
    """Prompts are taken as long as they find room in what the file has, and then refused."""
    for _ in range(500):
        try:
            client.prompt(session, "is there room? " + "x" * 2_000, 30)
            counts[session] += 2
        except Failed as failed:
            assert failed.kind == "disk_full", failed.error
            # Of the last one the prompt may be there, whose answer found no room.
            there = client.call("_convod/session/get", 30, sessionId=session)
            there = there.get("messageCount", there.get("session", {}).get("messageCount"))
            assert there in (counts[session], counts[session] + 1, counts[session] + 2), (there, counts[session])
            counts[session] = there
            return
    raise AssertionError("prompts are taken on a full disk")


def make_room(client, counts, seconds=30):
    """Purges a session, and waits until prompts are taken again; how long that took."""
    session = max((name for name in counts if name != "prompts"), key=counts.get)
    client.call("_convod/session/purge", 30, sessionId=session)
    del counts[session]
    begin = time.monotonic()
    while True:
        try:
            append(client, "after", "there is room")
            break
        except Failed as failed:
            assert failed.kind == "disk_full" and time.monotonic() - begin < seconds, failed.error
    counts["after"] = counts.get("after", 0) + 1
    return time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs")
    parser.add_argument("--size", type=int, default=24)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = os.path.join(folder, "disk")
        os.mkdir(place)
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={options.size}m", "tmpfs", place], capture_output=True, text=True)
        if mount.returncode:
            print(f"left out, nothing may be mounted here: {mount.stderr.strip()}")
            return
        try:
            for large in (1_000_000, 100_000, 20_000):
                database = os.path.join(place, f"{large}.db")
                daemon = Daemon(os.path.abspath(options.programs), CONFIG, {"CONVOD_DATABASE": database})
                with daemon:
                    with daemon.client() as client:
                        append(client, "prompts", "first")
                        counts = {**fill(client, large), "prompts": 1}
                        total = sum(counts.values())
                        refused(client, counts, "prompts")
                        look(client, counts)
                        waited = make_room(client, counts)
                        look(client, counts)
                        more = fill(client, large)
                        for session, count in more.items():
                            counts[session] = counts.get(session, 0) + count
                        refused(client, counts, "prompts")
                    daemon.stop()
                    daemon.restart()
                    with daemon.client() as client:
                        look(client, counts)
                        again = make_room(client, counts)
                        look(client, counts)
                    daemon.stop()
                for name in os.listdir(place):
                    os.unlink(os.path.join(place, name))
                print(f"messages of {large:,} bytes: {total} until full; room {waited:.2f} s behind a purge, {again:.2f} s behind a start and a purge")
        finally:
            subprocess.run(["umount", "-l", place], check=True)


if __name__ == "__main__":
    main()
