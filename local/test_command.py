"""bin/test: all tests, in parallel, on servers and a browser that it brings along.

`--postgres 15` takes a PostgreSQL of that version instead of the embedded one. `--two-roles` serves the app under test
by a role that owns nothing; without it the tables' owner serves, as where a host has one role (docs/roles.md).
"""

from __future__ import annotations

import os
import sys

from local import postgres_versions
from local.browser import chromium
from local.environment import PROJECT, SetupFailed

TWO_ROLES = "--two-roles"


def main(words: list[str]) -> None:
    os.chdir(PROJECT)
    try:
        arguments = choose_roles(choose_postgres(words))
        os.environ["CHROMIUM"] = chromium()
    except SetupFailed as error:
        sys.exit(str(error))
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *parallel(arguments), *arguments])


def choose_postgres(words: list[str]) -> list[str]:
    """The words without `--postgres VERSION`, which the tests' servers read from the environment."""
    if "--postgres" not in words:
        return words
    at = words.index("--postgres")
    version = (words[at + 1 : at + 2] or [""])[0]
    if not version.isdecimal():
        raise SetupFailed("--postgres needs a major version, such as --postgres 15.")
    postgres_versions.installed(int(version))
    os.environ[postgres_versions.WANTED] = version
    return words[:at] + words[at + 2 :]


def choose_roles(words: list[str]) -> list[str]:
    """The words without `--two-roles`, which the tests' servers read from the environment."""
    if TWO_ROLES in words:
        os.environ["PORTAL_ROLES"] = "2"
    return [word for word in words if word != TWO_ROLES]


def parallel(arguments: list[str]) -> list[str]:
    """A worker a core and one more, because a quarter of the time they wait for browsers, processes and servers.

    At most 8; `-n` on the command line wins.
    """
    if any(word.startswith(("-n", "--numprocesses", "--pdb", "--trace")) for word in arguments):
        return []
    return ["-n", str(min(8, (os.cpu_count() or 2) + 1)), "--dist", "worksteal"]


if __name__ == "__main__":
    main(sys.argv[1:])
