"""Reads everything from a sandbox through the portal's own job, beside the raw limit of the same run.

`python -m bench.read_everything [--customers 2000] [--invoices 50000] [--pace 0]`: seconds, rows per second,
requests and peak memory, reading into empty tables and reading again with nothing changed.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

from bench.places import ROOT, Places, places
from sandbox.embed import SECRET, USERNAME

SLUG = "bench"


@dataclass(frozen=True)
class Figure:
    what: str
    seconds: float
    rows: int
    requests: int
    peak_mb: float

    def line(self, limit: float) -> str:
        rate = self.rows / self.seconds
        return (
            f"{self.what:<46}{self.seconds:>9.1f}{rate:>11,.0f}{self.requests:>10,}{self.peak_mb:>9.0f}"
            f"{self.seconds / limit:>9.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--invoices", type=int, default=50_000)
    parser.add_argument("--pace", type=float, default=0.0, help="seconds that every request takes at least")
    options = parser.parse_args()
    with places(options.customers, options.invoices, options.pace) as at:
        _portal(at, "db", "upgrade")
        _portal(at, "partners", "create", "Bench", "--slug", SLUG)
        connecting = ("--email", "b@example.com", "--username", USERNAME, "--identifier", "number")
        _portal(at, "integrations", "connect", SLUG, *connecting, "--role", "primary", stdin=SECRET + "\n")
        limits = [_limit(at), _limit(at)]
        figures = [_read(at, "portal, into empty tables"), _read(at, "portal, again, nothing changed")]
    print(f"{'':<46}{'seconds':>9}{'rows/s':>11}{'requests':>10}{'peak MB':>9}{'× limit':>9}")
    for limit, figure in zip(limits, figures, strict=True):
        print(limit.line(limit.seconds))
        print(figure.line(limit.seconds))


def _portal(at: Places, *words: str, stdin: str = "") -> tuple[dict[str, object], float]:
    """Runs `flask …`; its last line as JSON and its peak memory in MB."""
    command = [sys.executable, "-m", "flask", *words]
    process = subprocess.Popen(
        command, cwd=ROOT, env=at.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(stdin)
    process.stdin.close()
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"flask {' '.join(words)} failed:\n{said}")
    lines = [line for line in said.splitlines() if line.startswith("{")]
    return (json.loads(lines[-1]) if lines else {}), usage.ru_maxrss / 1024


def _read(at: Places, what: str) -> Figure:
    run, peak = _portal(at, "sync", "run", SLUG, "--kind", "all", "--wait")
    from datetime import datetime

    took = datetime.fromisoformat(str(run["finished_at"])) - datetime.fromisoformat(str(run["started_at"]))
    items = run["items"]
    assert isinstance(items, dict)
    rows = sum(counts["found"] for counts in items.values())
    return Figure(what, took.total_seconds(), rows, int(str(run["api_calls"])), peak)


def _limit(at: Places) -> Figure:
    started = time.perf_counter()
    command = [sys.executable, "-m", "bench.limit", at.sandbox_url, at.limit_url]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the limit failed after {time.perf_counter() - started:.0f} s")
    found = json.loads(said)
    return Figure(
        "limit: fetch, parse, COPY, upsert",
        found["seconds"],
        found["rows"],
        found["requests"],
        usage.ru_maxrss / 1024,
    )


if __name__ == "__main__":
    main()
