"""PostgreSQL servers of a chosen major version, beside the embedded one: found, or installed where that is customary."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from local.environment import SetupFailed, run, say

WANTED = "PORTAL_POSTGRES"
PLACES = (
    "/usr/lib/postgresql/{version}/bin",
    "/opt/homebrew/opt/postgresql@{version}/bin",
    "/usr/local/opt/postgresql@{version}/bin",
)


def wanted() -> int | None:
    """The version that the environment asks for, None for the embedded one."""
    return int(os.environ.get(WANTED) or 0) or None


def installed(version: int) -> Path:
    """The folder of this version's programs, installed if they are missing. Raises SetupFailed with what to run."""
    found = present(version)
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        install_with_apt(version)
        found = present(version)
    if found is None:
        raise SetupFailed(
            f"PostgreSQL {version} is not installed.\n"
            f"  Debian:  sudo apt-get install postgresql-{version}\n"
            f"  macOS:   brew install postgresql@{version}"
        )
    return found


def present(version: int) -> Path | None:
    folders = (Path(place.format(version=version)) for place in PLACES)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def install_with_apt(version: int) -> None:
    """Only the programs: no cluster is made, and no service is started."""
    settings = Path("/etc/postgresql-common/createcluster.d/portal-tests.conf")
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text("create_main_cluster = false\n")
    say(f"Installing PostgreSQL {version} with apt-get")
    run(["apt-get", "update", "-qq"])
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", f"postgresql-{version}"])
