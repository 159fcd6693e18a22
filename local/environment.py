"""Makes the virtual environment, installs the locked packages, then becomes the program that bin/* asked for.

Standard library only: this runs before anything is installed. Nothing is done, and nothing said, when the
lock files have not changed since the last time.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
VENV = PROJECT / ".venv"
PYTHON = VENV / "bin" / "python"
INSTALLED = VENV / "installed-locks.json"
# A larger list contains the smaller ones.
LOCKS = ["requirements.txt", "requirements-embedded.txt", "requirements-dev.txt"]
NEEDS = {
    "demo": LOCKS[1],
    "portal": LOCKS[1],
    "test": LOCKS[2],
    "check": LOCKS[2],
    "lock": LOCKS[0],
    "storm": LOCKS[1],
    "simulate": LOCKS[2],
    "kit": LOCKS[0],
    "bench": LOCKS[1],
    "drill": LOCKS[2],
    "soak": LOCKS[1],
    "mutants": LOCKS[2],
}
PROGRAMS = {
    "demo": "local.demo",
    "portal": "local.portal_command",
    "test": "local.test_command",
    "check": "local.check_command",
    "lock": "local.lock_command",
    "storm": "storm",
    "simulate": "local.simulate_command",
    "kit": "local.kit_command",
    "bench": "bench",
    "drill": "drill",
    "soak": "soak",
    "mutants": "mutants",
}


class SetupFailed(Exception):
    """The message tells a person what to do."""


def main(program: str, arguments: list[str]) -> None:
    try:
        prepare(NEEDS[program])
    except (SetupFailed, PermissionError) as error:
        sys.exit(f"{error}")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
    # Without compiled files every single command would compile 3 s of packages anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.execv(PYTHON, [str(PYTHON), "-P", "-m", PROGRAMS[program], *arguments])


def prepare(lock: str) -> None:
    """The environment holds what `lock` lists. One process at a time does it; others wait for that one."""
    if up_to_date(lock):
        return
    (PROJECT / ".local").mkdir(exist_ok=True)
    with (PROJECT / ".local" / "environment.lock").open("w") as waiting:
        fcntl.flock(waiting, fcntl.LOCK_EX)
        if up_to_date(lock):
            return
        if not works(PYTHON):
            make_virtualenv()
        if not (VENV / "bin" / "uv").exists():
            say("Installing the package installer (uv)")
            run(
                [
                    str(PYTHON),
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--require-hashes",
                    "-r",
                    "requirements-uv.txt",
                ]
            )
        install(lock)


def digests() -> dict[str, str]:
    return {name: hashlib.sha256((PROJECT / name).read_bytes()).hexdigest() for name in LOCKS}


def up_to_date(lock: str) -> bool:
    try:
        return json.loads(INSTALLED.read_text()).get(lock) == digests()[lock] and PYTHON.exists()
    except (OSError, ValueError):
        return False


def install(lock: str) -> None:
    count = sum("==" in line for line in (PROJECT / lock).read_text().splitlines())
    say(f"Installing {count} locked packages from {lock}")
    started = time.monotonic()
    locked = ["--quiet", "--require-hashes", "-r", lock]
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "--python", str(PYTHON), *locked]
    # uv knows neither the machine's own certificates nor pip's settings; companies have both.
    if not any(succeeds(command) for command in (uv, [*uv, "--system-certs"])):
        say("uv could not fetch them; trying pip, which takes longer")
        run([str(PYTHON), "-m", "pip", "install", *locked])
    contained = LOCKS[: LOCKS.index(lock) + 1]
    INSTALLED.write_text(json.dumps({name: digests()[name] for name in contained}))
    say(f"Packages are in place ({time.monotonic() - started:.1f} s)")


def make_virtualenv() -> None:
    say(f"Making the virtual environment {VENV} with Python {sys.version.split()[0]}")
    if VENV.exists():
        shutil.rmtree(VENV)
    if importlib.util.find_spec("ensurepip") is None:
        install_venv_package()
    run([outside_python(), "-m", "venv", str(VENV)])


def outside_python() -> str:
    """What the environment is made from: this interpreter, or its base when it runs in an old `.venv`."""
    return getattr(sys, "_base_executable", None) or sys.executable


def install_venv_package() -> None:
    """Debian ships Python without the part that makes environments."""
    package = f"python3.{sys.version_info.minor}-venv"
    if os.geteuid() or not shutil.which("apt-get"):
        raise SetupFailed(
            f"This Python cannot make virtual environments. On Debian: sudo apt-get install {package}"
        )
    say(f"Installing {package} with apt-get")
    run(["apt-get", "update", "-qq"])
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package])


def works(python: Path) -> bool:
    check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    return python.exists() and subprocess.run([python, "-c", check], capture_output=True).returncode == 0


def succeeds(command: list[str]) -> bool:
    return subprocess.run(command, cwd=PROJECT, capture_output=True, env=calm()).returncode == 0


def calm() -> dict[str, str]:
    """The environment for installers: no questions, no advice."""
    quiet = {
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "DEBIAN_FRONTEND": "noninteractive",
    }
    return {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"} | quiet


def run(command: list[str]) -> None:
    """Output goes to standard error: standard output belongs to the program that follows."""
    done = subprocess.run(command, cwd=PROJECT, stdout=sys.stderr, stdin=subprocess.DEVNULL, env=calm())
    if done.returncode:
        raise SetupFailed(
            f"This failed (its reason stands above): {' '.join(command)}\n"
            "If it is the network, check the connection or proxy and run the same command again."
        )


def say(sentence: str) -> None:
    print(f"· {sentence}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
