#!/usr/bin/env python3
"""The daemon's metrics, read by the Prometheus client library's own parser of OpenMetrics.

    python3 -m pip install prometheus_client; python3 Tests/External/metrics.py .build/release
"""
import argparse, os, sys
from daemon import Daemon, Failed, free_port
from prometheus_client.openmetrics.parser import text_string_to_metric_families


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    arguments = parser.parse_args()
    config = {"upstreams": {"echo": {"kind": "echo"}, "down": {"kind": "openai", "baseURL": f"http://127.0.0.1:{free_port()}/v1", "model": "m-1"}},
              "routes": {"default": ["echo"]}, "retry": {"attempts": 1, "base": "1ms"}}
    with Daemon(os.path.abspath(arguments.programs), config) as daemon, daemon.client() as client:
        for n in range(20):
            client.new(f"s{n}")
            client.prompt(f"s{n}", "count to ten")
        client.new("bad", upstream="down")
        try:
            client.prompt("bad", "x")
        except Failed:
            pass
        text = client.call("_convod/server/metrics")["text"]
        families = {family.name: family for family in text_string_to_metric_families(text)}
        value = lambda family, name, **labels: next((s.value for s in families[family].samples if s.name == name and all(s.labels.get(k) == v for k, v in labels.items())), None)
        checks = {
            "20 prompts": value("convod_prompts", "convod_prompts_total", upstream="echo") == 20,
            "one failure": value("convod_prompt_failures", "convod_prompt_failures_total", upstream="down") == 1,
            "20 prompts answered": value("convod_requests", "convod_requests_total", method="session/prompt", outcome="done") == 20,
            "a histogram that is whole": value("convod_first_piece_seconds", "convod_first_piece_seconds_count", upstream="echo") == value("convod_first_piece_seconds", "convod_first_piece_seconds_bucket", upstream="echo", le="+Inf"),
            "upstreams": value("convod_upstream_up", "convod_upstream_up", upstream="echo") == 1,
            "one connection": value("convod_connections", "convod_connections") == 1,
        }
    for name, isRight in checks.items():
        if not isRight:
            print("not so:", name)
    print(f"{len(families)} families, {sum(len(f.samples) for f in families.values())} samples, read by prometheus_client")
    sys.exit(0 if all(checks.values()) else 1)


if __name__ == "__main__":
    main()
