"""bin/test: all tests, in parallel, on servers and a browser that it brings along."""

from __future__ import annotations

import os
import sys

from local.browser import chromium
from local.environment import PROJECT, SetupFailed


def main(arguments: list[str]) -> None:
    os.chdir(PROJECT)
    try:
        os.environ["CHROMIUM"] = chromium()
    except SetupFailed as error:
        sys.exit(str(error))
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *parallel(arguments), *arguments])


def parallel(arguments: list[str]) -> list[str]:
    """One worker a core, between 2 and 8; `-n` on the command line wins."""
    if any(word.startswith(("-n", "--numprocesses", "--pdb", "--trace")) for word in arguments):
        return []
    return ["-n", str(max(2, min(8, os.cpu_count() or 2))), "--dist", "worksteal"]


if __name__ == "__main__":
    main(sys.argv[1:])
