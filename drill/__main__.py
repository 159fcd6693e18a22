"""bin/drill: what a deploy does to people, to payments and to the schema, with real processes. Exits 1 at a broken promise.

Steps, all of them unless some are named: `restart` (every process restarted as systemd and as Heroku do it, under load,
on 20 connections), `release` (from the release before to this one and back, under load) and `migrations` (each statement
of the upgrade from the release before is the last thing that a killed command does).
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from drill import killed_migrations, release_before, restarts
from local.environment import PROJECT, say
from local.servers import ServerFailed

STEPS = {"restart": restarts.run, "release": release_before.run, "migrations": killed_migrations.run}


def main(arguments: list[str]) -> int:
    options = read_arguments(arguments)
    os.chdir(PROJECT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    broken: list[str] = []
    for name in options.steps or STEPS:
        broken += take(name, options)
    print("\n".join(broken) or "Nobody was refused, nothing was lost.", flush=True)
    return int(bool(broken))


def take(name: str, options: argparse.Namespace) -> list[str]:
    """One step in a folder of its own, which stays where something was wrong."""
    folder = Path(tempfile.mkdtemp(prefix="portal-drill-"))
    folder.chmod(0o755)  # root runs PostgreSQL as nobody, who must get in
    say(f"Step {name}")
    broken = [f"The logs are in {folder}."]
    try:
        broken = STEPS[name](folder, options)
    except ServerFailed as error:
        sys.exit(str(error))
    finally:
        if not broken:
            shutil.rmtree(folder, ignore_errors=True)
    return broken


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/drill", description=__doc__)
    parser.add_argument("steps", nargs="*", choices=[*STEPS, []], help="which (all)")
    parser.add_argument("--seconds", type=float, default=60, help="how long a step under load takes (60)")
    parser.add_argument("--rate", type=float, default=20, help="requests a second (20)")
    parser.add_argument("--connections", type=int, default=20, help="what the database allows (20)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
