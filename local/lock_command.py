"""bin/lock: exact versions with hashes for all platforms, free of any package index's address."""

import os
import subprocess
import sys

from local.environment import LOCKS, PROJECT, VENV

COMPILE = ["pip", "compile", "--quiet", "--universal", "--generate-hashes", "--python-version", "3.11"]
QUIET = ["--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command", "bin/lock"]


def main(arguments: list[str]) -> None:
    os.chdir(PROJECT)
    compile_lock("requirements-uv.txt", arguments, [])
    done: list[str] = []
    for lock in LOCKS:
        compile_lock(lock, arguments, done[-1:])
        done.append(lock)


def compile_lock(lock: str, arguments: list[str], smaller: list[str]) -> None:
    """A larger list keeps the versions of the smaller one."""
    constraints = [word for name in ["constraints.txt", *smaller] for word in ("-c", name)]
    wanted = lock.replace(".txt", ".in")
    uv = str(VENV / "bin" / "uv")
    subprocess.run([uv, *COMPILE, *QUIET, *constraints, *arguments, wanted, "-o", lock], check=True)
    print(f"{lock} is written")


if __name__ == "__main__":
    main(sys.argv[1:])
