#!/usr/bin/env python3
"""The `slide` strategy against LangChain's `trim_messages` on random histories, with the same counter.

    python3 -m venv /tmp/langchain && /tmp/langchain/bin/pip install langchain-core
    /tmp/langchain/bin/python Tests/External/langchain.py .build/release [--cases 1000] [--seed N]

Where LangChain's result is valid (begins with the user's message, each call with its results and each result behind its call),
convod must keep all of it. Where they differ otherwise the reason must be one of `REASONS`.
"""
import argparse, collections, os, random, sys
from daemon import Daemon, Failed
from histories import Histories
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage, trim_messages

REASONS = {
    "same": "both keep the same",
    "langchain: orphan": "LangChain's begins with no user's message, or has a result without its call",
    "langchain: open call": "LangChain parts a call from a result",
    "langchain: nothing": "LangChain keeps no message where the newest turn does not fit, convod refuses with both numbers",
    "langchain: empty": "LangChain keeps nothing where it finds no message of the user that fits",
    "convod: more": "convod keeps whole turns that LangChain leaves out",
}


def converted(message):
    """A stored message as LangChain has it; one with several results is several there, so histories have one each."""
    texts = "".join(p.get("text", "") for p in message["content"])
    calls = [{"id": p["id"], "name": p["name"], "args": p["arguments"]} for p in message["content"] if p["type"] == "tool_call"]
    if message["role"] == "user":
        return HumanMessage(texts, id=message["id"])
    if message["role"] == "system":
        return SystemMessage(texts, id=message["id"])
    if message["role"] == "tool":
        return ToolMessage(str(message["content"][0]["content"]), tool_call_id=message["content"][0]["toolCallId"], id=message["id"])
    return AIMessage(texts, tool_calls=calls, id=message["id"])


def problem(kept):
    """What is wrong with a list of messages, None for nothing."""
    rest = [m for m in kept if not isinstance(m, SystemMessage)]
    if not rest:
        return "langchain: empty"
    if not isinstance(rest[0], HumanMessage):
        return "langchain: orphan"
    open_calls = collections.Counter()  # some providers give two calls of one answer the same ID
    for message in rest:
        if isinstance(message, ToolMessage):
            if not open_calls[message.tool_call_id]:
                return "langchain: orphan"
            open_calls[message.tool_call_id] -= 1
        elif open_calls.total():
            return "langchain: open call"
        if isinstance(message, AIMessage):
            open_calls.update(c["id"] for c in message.tool_calls)
    return "langchain: open call" if open_calls.total() else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    histories, tally, faults = Histories(arguments.seed), collections.Counter(), []
    print(f"seed {arguments.seed}")
    with Daemon(os.path.abspath(arguments.programs), {"upstreams": {"echo": {"kind": "echo"}}, "routes": {"default": ["echo"]}}) as daemon, \
            daemon.client() as client:
        for case in range(arguments.cases):
            name = f"s{case}"
            client.new(name)
            # Half of them as they should be, half with what goes wrong; system messages elsewhere than at the beginning and pins
            # are nothing that LangChain knows.
            stored = histories.messages(plain=case % 2 == 0)
            stored = [m for n, m in enumerate(stored) if m["role"] != "system" or n == 0]
            for message in stored:
                message.pop("pinned", None)
            client.call("_convod/message/append", sessionId=name, messages=stored)
            messages = client.call("_convod/message/list", sessionId=name)["messages"]
            tokens = {m["id"]: m["tokens"] for m in messages}
            total = sum(tokens.values())
            budget = histories.random.randrange(30, total + 60)
            try:
                window = client.call("_convod/context/build", sessionId=name, window={"strategy": "slide", "maxTokens": budget})
                mine = [m["id"] for m in window["messages"]]
            except Failed as error:
                if error.kind != "context_overflow":
                    raise
                mine = None
            theirs = trim_messages([converted(m) for m in messages], max_tokens=budget - 16, strategy="last", start_on="human",
                                   include_system=True, token_counter=lambda many: sum(tokens[m.id] for m in many))
            fault, kept = problem(theirs), [m.id for m in theirs]
            if mine is None:
                # LangChain may leave out what the user said last.
                newest = next(m["id"] for m in reversed(messages) if m["role"] == "user")
                reason = "langchain: nothing" if newest not in kept else fault or f"convod refuses what LangChain keeps: {len(kept)} messages"
            elif mine == kept:
                reason = "same"
            elif fault:
                reason = fault
            elif set(kept) <= set(mine):
                reason = "convod: more"
            else:
                reason = f"LangChain keeps {len(set(kept) - set(mine))} messages more"
            tally[reason] += 1
            if reason not in REASONS:
                faults.append((case, budget, reason))
    for reason, count in tally.most_common():
        print(f"{count:6}  {reason}: {REASONS.get(reason, 'FAIL')}")
    for case, budget, reason in faults[:10]:
        print(f"FAIL session s{case}, budget {budget}: {reason}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
