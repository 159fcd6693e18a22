"""bin/simulate: the random histories of the tests, round after round on all cores, until the time is over.

Each round has a seed of its own, printed with what was played; `--seed` begins at one. A round of payments that fails is
played once more to shorten it to as few events as lead to the failure.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

from local.environment import PROJECT

PAYMENTS, SYNCS = "tests/faults/test_histories.py", "tests/sync/test_histories.py"
LAST_LINES = 40


@dataclass
class Round:
    """What one round played: histories of each kind, and how long it took."""

    seed: int
    payments: int
    syncs: int
    seconds: int
    failed: bool


def main(words: list[str]) -> int:
    asked = read(words)
    until, played = time.monotonic() + 60 * asked.minutes, list[Round]()
    while not played or (time.monotonic() < until and not played[-1].failed):
        played.append(play(asked, asked.seed + len(played)))
        print(json.dumps(asdict(played[-1])), flush=True)
    print(json.dumps(total(played)), flush=True)
    return int(played[-1].failed)


def read(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/simulate", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="no new round begins after that (30)")
    parser.add_argument("--seed", type=int, default=0, help="of the first round; the next ones count on (0)")
    parser.add_argument("--payments", type=int, default=2000, help="histories of payments a round (2000)")
    parser.add_argument("--syncs", type=int, default=400, help="histories of syncs a round (400)")
    parser.add_argument(
        "--workers", help="how many processes play; 0 is this one alone (a core each, and one more)"
    )
    return parser.parse_args(words)


def play(asked: argparse.Namespace, seed: int) -> Round:
    """One round: both kinds beside each other."""
    began = time.monotonic()
    numbers = {"SEED": str(seed), "HISTORIES": str(asked.payments), "SYNC_HISTORIES": str(asked.syncs)}
    workers = ["-n", asked.workers] if asked.workers else []
    done = run([*workers, PAYMENTS, SYNCS], numbers)
    if done.returncode:
        print(end_of(done.stdout), flush=True)
        if f"FAILED {PAYMENTS}" in done.stdout:
            again = run([*workers, PAYMENTS], numbers | {"SHORTEN": "1"})
            print("Shortened:", end_of(again.stdout), flush=True)
    seconds = round(time.monotonic() - began)
    return Round(seed, asked.payments, asked.syncs, seconds, bool(done.returncode))


def run(words: list[str], numbers: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [str(PROJECT / "bin" / "test"), "-q", *words]
    return subprocess.run(command, env=os.environ | numbers, cwd=PROJECT, capture_output=True, text=True)


def end_of(text: str) -> str:
    return "\n".join(text.splitlines()[-LAST_LINES:])


def total(played: list[Round]) -> dict[str, int]:
    return {
        "rounds": len(played),
        "payments": sum(one.payments for one in played),
        "syncs": sum(one.syncs for one in played),
        "seconds": sum(one.seconds for one in played),
        "failed": sum(one.failed for one in played),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
