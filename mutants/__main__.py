"""bin/mutants: one place after the other is broken, and the tests of its subject must fail. Exits 1 below 85 %.

Subjects, all of them unless some are named: money, delivery (the rules), steps, merge (of a sync), tenancy, crypto, and what
stores them: deliveries, ledger (mutants/subjects.py). `--most 60` breaks so many places of each, chosen by `--seed`; 0 all. Each break is one JSON line; what survives is listed at the end.
`--again FILE`, the output of a run before with the same sample, asks only what that did not see fail: with `--seconds 90`,
more tests.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.environment import PROJECT
from mutants.subjects import SUBJECTS

WANTED = 0.85
KILLED = ("killed", "timeout")
SERVERS = """
import json, sys
from pathlib import Path
from tests.fixtures.servers import Session
session = Session()
told = Path(sys.argv[1])
(told.parent / "whole").write_text(json.dumps(vars(session.servers)))
(told.parent / "whole").rename(told)
sys.stdin.read()
session.close()
"""


def main(words: list[str]) -> int:
    asked = read(words)
    os.chdir(PROJECT)
    counted: dict[str, Counter[str]] = {}
    survivors: list[dict[str, Any]] = []
    with servers():
        for subject in asked.subjects or SUBJECTS:
            results, there = in_a_process(subject, asked)
            counted[subject] = Counter(one["outcome"] for one in results)
            counted[subject]["places"] = there
            survivors += [one for one in results if one["outcome"] not in KILLED]
    return tell(counted, survivors)


def read(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/mutants", description=__doc__)
    parser.add_argument("subjects", nargs="*", choices=[*SUBJECTS, []], help="which (all)")
    parser.add_argument("--most", type=int, default=60, help="places of each subject, 0 for all (60)")
    parser.add_argument(
        "--minutes", type=float, default=60, help="none is begun after that, for each subject (60)"
    )
    parser.add_argument("--seed", type=int, default=0, help="by which they are chosen (0)")
    parser.add_argument("--seconds", type=float, default=20, help="of tests for one break (20)")
    parser.add_argument(
        "--again", type=Path, help="output of a run before, whose failed breaks are not asked again"
    )
    parser.add_argument("--only", default="", help="places whose line of output has this, such as `money:57`")
    return parser.parse_args(words)


@contextmanager
def servers() -> Iterator[None]:
    """PostgreSQL and Redis for all breaks."""
    with tempfile.TemporaryDirectory(prefix="portal-mutants-") as folder:
        told = Path(folder) / "servers.json"
        process = subprocess.Popen([sys.executable, "-c", SERVERS, str(told)], stdin=subprocess.PIPE)
        os.environ["PORTAL_TEST_SERVERS"] = str(told)
        try:
            yield
        finally:
            process.communicate()


def in_a_process(subject: str, asked: argparse.Namespace) -> tuple[list[dict[str, Any]], int]:
    """What came of each break, and how many places there are: pytest is loaded anew for each subject."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as stream:
            json.dump(ask(subject, asked), stream)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        results, there = json.loads(stream.read() or "[[], 0]")
    os.waitpid(pid, 0)
    return results, there


def ask(subject: str, asked: argparse.Namespace) -> tuple[list[dict[str, Any]], int]:
    import pytest

    from mutants.asking import Loop, quiet

    one, loud = SUBJECTS[subject], os.dup(1)
    quiet()
    loop = Loop(
        loud, one.files, asked.most, asked.seed, time.monotonic() + 60 * asked.minutes, asked.only, asked.seconds,
        noticed(asked.again),
    )  # fmt: skip
    pytest.main(
        ["-qq", "-x", "--no-header", "--no-summary", "-p", "no:cacheprovider", *one.tests], plugins=[loop]
    )
    return [vars(result) for result in loop.results], loop.places_there


def noticed(output: Path | None) -> dict[tuple[str, int, str], Any]:
    """What an earlier run told to have failed a test."""
    from mutants.asking import Result

    lines = output.read_text().splitlines() if output is not None else []
    before = [Result(**json.loads(line)) for line in lines if line.startswith("{")]
    return {(one.file, one.line, one.what): one for one in before if one.outcome in KILLED}


def tell(counted: dict[str, Counter[str]], survivors: list[dict[str, Any]]) -> int:
    for one in survivors:
        print(f"{one['outcome']}: portal/{one['file']}.py:{one['line']}: {one['what']}")
    enough = True
    for subject, outcomes in counted.items():
        killed = sum(outcomes[name] for name in KILLED)
        broken = sum(number for name, number in outcomes.items() if name != "places")
        share = killed / broken if broken else 0.0
        enough = enough and share >= WANTED
        print(f"{subject}: {killed} of {broken} killed, {share:.1%}; {outcomes['places']} places")
    return int(not enough)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
