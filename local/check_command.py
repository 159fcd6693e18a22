""".ci/run: every test, then the checks of style and types. All of them run; any failure fails the whole."""

from __future__ import annotations

import os
import subprocess
import sys

from local.environment import PROJECT, say

PYTHON = sys.executable
STEPS = [
    [str(PROJECT / "bin" / "test")],
    [PYTHON, "-m", "ruff", "check"],
    [PYTHON, "-m", "ruff", "format", "--check"],
    [PYTHON, "-m", "mypy"],
]


def main(arguments: list[str]) -> None:
    os.chdir(PROJECT)
    failed = []
    for step in STEPS:
        name = " ".join(step[2:] or ["bin/test"])
        say(name)
        if subprocess.run(
            step + (arguments if step is STEPS[0] else []), stdin=subprocess.DEVNULL
        ).returncode:
            failed.append(name)
    if failed:
        sys.exit("Failed: " + ", ".join(failed))
    say("All checks passed")


if __name__ == "__main__":
    main(sys.argv[1:])
