#!/usr/bin/env python3
"""Long sessions against servers that refuse every request over their limit, counted with real vocabularies.

    (install as for estimates.py; with `llmock` installed too, its own limit is tried as well)
    /tmp/vocabularies/bin/python Tests/External/refusals.py .build/release [--turns 2000]

2,000 turns of at most 2 % of the budget in one session for each of some models, the kind of text another every 25 turns. No
request may be refused more than once, no turn lost, and with `slide` the used share of the budget must be above 90 % on average,
by the server's own count, once the window is full. `summarize` may make one summary for each cut, and one for the next.
"""
import argparse, os, random, sqlite3, sys
from daemon import Daemon
from vocabularies import Counting, texts, vocabularies

BUDGET, RESERVE = 8_000, 1_000


def run(programs, strategy, model, count, kinds, turns, seed):
    """Returns how many turns failed, how many requests were refused, how many of one turn at most, the mean share, how often the
    window was cut, and how many summaries were asked for and refused."""
    server, maker = Counting({model: count}, limit=BUDGET, room=RESERVE), Counting({model: count}, limit=BUDGET + RESERVE, answer="The gist of it. " * 40)
    upstream = lambda base: {"kind": "openai", "baseURL": base, "model": model, "contextLength": BUDGET + RESERVE}
    config = {"upstreams": {"u": upstream(server.base), "maker": upstream(maker.base)}, "summarizer": {"upstream": "maker"},
              "routes": {"default": ["u"]}, "window": {"strategy": strategy, "reserveTokens": RESERVE}, "retry": {"base": "10ms"}}
    source, lost, most, shares = random.Random(seed), 0, 0, []
    with Daemon(programs, config) as daemon, daemon.client() as client:
        client.new("long")
        names = list(kinds)
        for turn in range(turns):
            if turn % 25 == 0:
                text = kinds[source.choice(names)]
            # At most 2 % of the budget, with the answer.
            start, size = source.randrange(len(text) - 700), source.randrange(20, 600)
            words = text[start:start + size]
            while count(words) > BUDGET // 50 - 20:
                words = words[:len(words) * 2 // 3]
            before = len(server.requests)
            try:
                answer = client.prompt("long", said(words), 60)
                lost += answer["stopReason"] != "end_turn"
            except Exception as error:
                print(f"turn {turn}: {error}")
                lost += 1
            client.updates.clear()
            mine = server.requests[before:]
            most = max(most, sum(1 for _, _, isRefused in mine if isRefused))
            if mine and not mine[-1][2]:
                shares.append(mine[-1][1] / BUDGET)
    refused = sum(1 for _, _, isRefused in server.requests if isRefused)
    full = [s for n, s in enumerate(shares) if n >= 100]
    cuts = sum(1 for a, b in zip(shares, shares[1:]) if b < a - 0.1)
    server.shutdown()
    maker.shutdown()
    made = [isRefused for _, _, isRefused in maker.requests]
    return lost, refused, most, sum(full) / max(1, len(full)), cuts, len(made), sum(made)


def said(words):
    """A prompt, of which there is none of blanks alone."""
    return words if words.strip() else "x"


def capped(programs, strategy, length, count, kinds, turns, seed, thinking=None):
    """A server of Anthropic's kind, which refuses a prompt that leaves no room for the `max_tokens` it asks for: turns that failed,
    requests that were refused, of one turn at most, and the mean share of what a prompt may have beside them."""
    server = Counting({"claude-x": count}, limit=length)
    config = {"upstreams": {"u": {"kind": "anthropic", "baseURL": server.base[:-3], "model": "claude-x", "contextLength": length}},
              "routes": {"default": ["u"]}, "window": {"strategy": strategy}, "retry": {"base": "10ms"}}
    source, lost, most, shares = random.Random(seed), 0, 0, []
    with Daemon(programs, config) as daemon, daemon.client() as client:
        client.new("long")
        for turn in range(turns):
            text = kinds[sorted(kinds)[turn // 25 % len(kinds)]]
            start = source.randrange(len(text) - 900)
            before = len(server.requests)
            more = {"_meta": {"convod": {"params": {"thinking": thinking}}}} if thinking else {}
            lost += asked(client, "long", said(text[start:start + source.randrange(20, 800)]), turn, **more)
            mine = server.requests[before:]
            most = max(most, sum(1 for _, _, isRefused in mine if isRefused))
            if mine and not mine[-1][2]:
                shares.append(mine[-1][1] / (length - (thinking + 1_024 if thinking else min(4_096, length // 4))))
    server.shutdown()
    full = shares[len(shares) * 2 // 3:]
    return lost, sum(1 for _, _, isRefused in server.requests if isRefused), most, sum(full) / max(1, len(full))


def asked(client, session, words, turn, **more):
    """1 for a turn that was lost."""
    try:
        end = client.call("session/prompt", 60, sessionId=session, prompt=[{"type": "text", "text": words}], **more)["stopReason"]
        return int(end != "end_turn")
    except Exception as error:
        print(f"turn {turn}: {error}")
        return 1
    finally:
        client.updates.clear()


def beside_tools(programs, strategy, count, kinds, turns, seed):
    """Two sessions of one model in turn, one of them with definitions of tools as large as most of its window: what each was
    refused, turns lost, and the share of its window that the one without them has at its end."""
    limit = 16_000
    server = Counting({"m": count}, limit=limit, room=RESERVE)
    config = {"upstreams": {"u": {"kind": "openai", "baseURL": server.base, "model": "m", "contextLength": limit + RESERVE}},
              "routes": {"default": ["u"]}, "window": {"strategy": strategy, "reserveTokens": RESERVE}, "retry": {"base": "10ms"}}
    tools = [{"type": "function", "function": {"name": f"look_{n}", "description": "Looks for something that somebody has said before. " * 4,
              "parameters": {"type": "object", "properties": {f"word{k}": {"type": "string", "description": "a word that stands in it"} for k in range(4)}}}}
             for n in range(60)]
    source, lost, refused, text = random.Random(seed), 0, {"plain": 0, "tools": 0}, kinds[sorted(kinds)[0]]
    with Daemon(programs, config) as daemon, daemon.client() as client:
        for name in refused:
            client.new(name)
        for turn in range(turns):
            for name, more in (("plain", {}), ("tools", {"_meta": {"convod": {"params": {"tools": tools}}}})):
                start, before = source.randrange(len(text) - 2_500), len(server.requests)
                lost += asked(client, name, said(text[start:start + source.randrange(500, 2_000)]), turn, **more)
                mine = server.requests[before:]
                refused[name] += sum(1 for _, _, isRefused in mine if isRefused)
                if name == "plain" and mine:
                    share = mine[-1][1] / limit
    server.shutdown()
    return lost, refused, share


def third_party(programs, turns):
    """The same over PyPI's llmock, which tells words as usage and refuses by characters: turns lost, tries of one turn at most,
    requests refused, and the mean share of its window by what it refuses by."""
    from llmock import Mock
    limit, lost, shares = 8_000, 0, []
    mock = Mock("--context-window", str(limit))
    config = {"upstreams": {"u": {"kind": "openai", "baseURL": mock.base + "/v1", "model": "gpt-4o", "contextLength": limit}},
              "routes": {"default": ["u"]}, "window": {"strategy": "slide", "reserveTokens": 0}, "retry": {"base": "10ms"}}
    try:
        with Daemon(programs, config) as daemon, daemon.client() as client:
            client.new("long")
            for turn in range(turns):
                try:
                    answer = client.prompt("long", f"turn {turn}: " + "some words of it " * 8, 60)
                    lost += answer["stopReason"] != "end_turn"
                    if turn % 20 == 0:
                        body = client.call("_convod/context/preview", sessionId="long", prompt=[{"type": "text", "text": "x"}])["request"]
                        shares.append(sum(len(m["content"]) + 1 for m in body["messages"]) / 4 / limit)
                except Exception as error:
                    print(f"turn {turn}: {error}")
                    lost += 1
                client.updates.clear()
            with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as store:
                most, = store.execute("SELECT max(number) FROM attempts").fetchone()
                refused, = store.execute("SELECT count(*) FROM attempts WHERE outcome = 'context_overflow'").fetchone()
    finally:
        mock.stop()
    full = shares[len(shares) // 4:]
    return lost, most, refused, sum(full) / max(1, len(full))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--turns", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    programs, kinds, faults = os.path.abspath(arguments.programs), texts(), 0
    count = vocabularies()
    print(f"{arguments.turns} turns each, seed {arguments.seed}: turns lost, requests refused (of one turn at most), used share of the budget")
    for strategy, model in [("slide", "gpt-4o"), ("slide", "gemini-2.5-flash"), ("slide", "deepseek-chat"), ("sawtooth", "claude-opus-4-7"),
                            ("summarize", "gpt-4o")]:
        lost, refused, most, share, cuts, made, unmade = run(programs, strategy, model, count[model], kinds, arguments.turns, arguments.seed)
        # One summary for each cut, and one that stands ready for the next.
        isBad = lost > 0 or most > 1 or (strategy == "slide" and share < 0.9) or unmade or made > (cuts + 1 if strategy == "summarize" else 0)
        isBad = isBad or strategy == "summarize" and not made
        faults += isBad
        print(f"{'FAIL' if isBad else 'ok':5}{strategy:10}{model:18} {lost} lost, {refused} refused ({most}), {share * 100:.1f} %"
              + (f", {cuts} cuts, {made} summaries" if strategy == "summarize" else ""), flush=True)
    for strategy, length, thinking in [("slide", 60_000, None), ("slide", 16_384, None), ("auto", 16_384, None), ("slide", 6_000, None),
                                       ("slide", 24_000, 8_000)]:
        turns = min(arguments.turns, 200 if length > 20_000 else 100)
        lost, refused, most, share = capped(programs, strategy, length, count["claude-opus-4-7"], kinds, turns, arguments.seed, thinking)
        isBad = lost > 0 or most > 1 or refused > turns // (3 if thinking else 10) or share < 0.8
        faults += isBad
        print(f"{'FAIL' if isBad else 'ok':5}{strategy:10}anthropic {length:,}{f', thinking {thinking:,}' if thinking else ''}: {lost} lost, {refused} of {turns} refused ({most}), {share * 100:.1f} %", flush=True)
    for strategy in ("slide", "auto"):
        lost, refused, share = beside_tools(programs, strategy, count["gpt-4o"], kinds, 40, arguments.seed)
        # As many as of the ones above: each that is refused is asked again, shorter, and none is lost.
        isBad = lost > 0 or max(refused.values()) > 40 // 10 or share < 0.6
        faults += isBad
        print(f"{'FAIL' if isBad else 'ok':5}{strategy:10}beside tools: {lost} lost, refused {refused}, the plain one has {share * 100:.1f} %", flush=True)
    if os.path.exists(os.path.join(os.path.dirname(sys.executable), "llmock")):
        lost, most, refused, share = third_party(programs, arguments.turns)
        isBad = lost > 0 or most > 2 or share < 0.9
        faults += isBad
        print(f"{'FAIL' if isBad else 'ok':5}slide     llmock --context-window: {lost} lost, {refused} refused ({most - 1}), {share * 100:.1f} %")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
