#!/usr/bin/env python3
"""What `sawtooth` saves beside `slide`: how much of each prompt begins as the one before did, and what that is in money.

    (install as for estimates.py)
    /tmp/vocabularies/bin/python Tests/External/sawtooth.py .build/release [--turns 500]

500 turns of at most 2 % of the budget over a server that counts with o200k. From the first cut on at least 0.90 of all prompt bytes must
be those of the request before with `sawtooth`. Money is by gpt-4.1's prices as litellm has them, for a provider that reads from its cache
whatever is the same in whole blocks of 128 tokens, from 1,024 on, as OpenAI says of its own.
"""
import argparse, json, os, random, sys
from daemon import Daemon
from vocabularies import Counting, place, texts, vocabularies

BUDGET, RESERVE, MODEL = 16_000, 1_000, "gpt-4o"


def shared(a, b):
    """Bytes with which both begin."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[:middle] == b[:middle] else (low, middle - 1)
    return low


def run(programs, strategy, count, kinds, turns, seed):
    """The share of bytes that was the same, its share of tokens in whole blocks, and dollars of all prompts."""
    server, source = Counting({MODEL: count}), random.Random(seed)
    prices = json.load(open(os.path.join(place("litellm"), "model_prices_and_context_window_backup.json")))["gpt-4.1"]
    config = {"upstreams": {"u": {"kind": "openai", "baseURL": server.base, "model": MODEL, "contextLength": BUDGET + RESERVE}},
              "routes": {"default": ["u"]}, "window": {"strategy": strategy, "reserveTokens": RESERVE}}
    cuts = []
    with Daemon(programs, config) as daemon, daemon.client() as client:
        client.new("long", system="You are a patient teacher. " * 20)
        for turn in range(turns):
            text = kinds["English" if turn % 3 else "code"]
            start, size = source.randrange(len(text) - 1_300), source.randrange(100, 1_200)
            words = text[start:start + size]
            while count(words) > BUDGET // 50 - 20:
                words = words[:len(words) * 2 // 3]
            receipt = client.prompt("long", words, 60)["_meta"]["convod"].get("receipt", {})
            cuts.append(receipt.get("leftOutMessages", 0) > 0)
            client.updates.clear()
    bodies = server.requests
    first = cuts.index(True) if True in cuts else len(cuts)
    same = all_ = cached = tokens = 0
    dollars = 0.0
    for index in range(1, len(bodies)):
        (before, _, _), (body, counted, _) = bodies[index - 1], bodies[index]
        # The model's name and the options stand before and behind the messages.
        part = shared(before, body)
        blocks = int(counted * part / len(body)) // 128 * 128
        blocks = blocks if blocks >= 1_024 else 0
        dollars += (counted - blocks) * prices["input_cost_per_token"] + blocks * prices["cache_read_input_token_cost"]
        if index > first:
            same, all_, cached, tokens = same + part, all_ + len(body), cached + blocks, tokens + counted
    server.shutdown()
    return same / max(1, all_), cached / max(1, tokens), dollars, sum(1 for a, b in zip(cuts, cuts[1:]) if b and not a)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--turns", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    count, kinds, found = vocabularies()[MODEL], texts(), {}
    print(f"{arguments.turns} turns, seed {arguments.seed}: bytes as in the request before, tokens from the cache, dollars of all prompts")
    for strategy in ("slide", "sawtooth"):
        found[strategy] = run(os.path.abspath(arguments.programs), strategy, count, kinds, arguments.turns, arguments.seed)
        same, cached, dollars, _ = found[strategy]
        print(f"{strategy:9} {same * 100:5.1f} %  {cached * 100:5.1f} %  ${dollars:.2f}", flush=True)
    slide, saw = found["slide"], found["sawtooth"]
    print(f"sawtooth saves ${slide[2] - saw[2]:.2f} of ${slide[2]:.2f}, {100 - saw[2] / slide[2] * 100:.0f} %")
    sys.exit(0 if saw[0] >= 0.9 else 1)


if __name__ == "__main__":
    main()
