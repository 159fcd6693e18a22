"""Reads everything from a sandbox through the portal's own job, beside the raw limit of the same run.

`python -m bench.read_everything [--customers 2000] [--sizes 50000] [--pace 0]`: seconds, rows per second,
requests and peak memory, reading into empty tables and reading again with nothing changed. Several sizes, as in
`--sizes 12500 25000 50000`, show whether memory stays flat in the number of invoices.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.places import ROOT, Places, places
from sandbox.embed import SECRET, USERNAME

SLUG = "bench"
AT_ONCE = 3  # calls that Autotask allows at a time for an endpoint
HEADER = f"{'':<44}{'seconds':>9}{'rows/s':>11}{'requests':>10}{'peak MB':>9}{'× limit':>9}"


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
            f"{self.what:<44}{self.seconds:>9.1f}{rate:>11,.0f}{self.requests:>10,}{self.peak_mb:>9.0f}"
            f"{self.seconds / limit:>9.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[50_000], help="numbers of invoices")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds that every request takes at least")
    parser.add_argument(
        "--postgres", type=int, nargs="+", default=[0], help="versions; 0 is the embedded one"
    )
    options = parser.parse_args()
    for invoices, version in itertools.product(options.sizes, options.postgres):
        server = f"PostgreSQL {version}" if version else "the embedded PostgreSQL"
        print(f"{options.customers:,} customers, {invoices:,} invoices, {server}\n{HEADER}")
        with places(options.customers, invoices, options.pace, version or None) as at:
            for environment in (at.environment, at.limit_environment):
                prepare(environment)
            for line in _lines(at, options.pace):
                print(line, flush=True)


def prepare(environment: Mapping[str, str]) -> None:
    """An empty portal with one partner, connected to the sandbox."""
    _portal(environment, "db", "upgrade")
    _portal(environment, "partners", "create", "Bench", "--slug", SLUG)
    who = ("--email", "b@example.com", "--username", USERNAME, "--identifier", "number", "--role", "primary")
    _portal(environment, "integrations", "connect", SLUG, *who, typed=SECRET + "\n")


def _lines(at: Places, pace: float) -> Iterator[str]:
    for state in ("into empty tables", "again, nothing changed"):
        bare = limit(at, f"limit, {state}", AT_ONCE if pace else 1)
        yield bare.line(bare.seconds)
        yield read(at, f"portal, {state}").line(bare.seconds)


def read(at: Places, what: str, kind: str = "all") -> Figure:
    run, peak = _portal(at.environment, "sync", "run", SLUG, "--kind", kind, "--wait", "--force")
    took = datetime.fromisoformat(run["finished_at"]) - datetime.fromisoformat(run["started_at"])
    rows = sum(counts["found"] for counts in run["items"].values())
    return Figure(what, took.total_seconds(), rows, run["api_calls"], peak)


def limit(at: Places, what: str, at_once: int = 1) -> Figure:
    found, peak = _run(["bench.limit", at.sandbox_url, at.limit_url, str(at_once)], os.environ)
    return Figure(what, found["seconds"], found["rows"], found["requests"], peak)


def _portal(environment: Mapping[str, str], *words: str, typed: str = "") -> tuple[dict[str, Any], float]:
    return _run(["flask", *words], environment, typed)


def _run(
    words: Sequence[str], environment: Mapping[str, str], typed: str = ""
) -> tuple[dict[str, Any], float]:
    """Runs `python -m …`; its last line of JSON ({} for none) and its peak memory in MB."""
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(typed)
    process.stdin.close()
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)} failed:\n{said}")
    lines = [line for line in said.splitlines() if line.startswith("{")]
    return (json.loads(lines[-1]) if lines else {}), usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
