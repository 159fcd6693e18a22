"""What the local programs keep in the project's `.local/` folder (git-ignored)."""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path
from typing import Any

from local.environment import PROJECT

# Tests put it elsewhere.
LOCAL = Path(os.environ.get("PORTAL_LOCAL") or PROJECT / ".local")
DEMO, CHECK = LOCAL / "demo", LOCAL / "check"


def read(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; empty if there is none."""
    try:
        held: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return held


def write(path: Path, values: dict[str, Any]) -> None:
    """Readable for the owner only, and whole at every moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.touch(mode=0o600)
    new.write_text(json.dumps(values, indent=1))
    new.replace(path)


def own_secrets() -> dict[str, str]:
    """SECRET_KEY, ENCRYPTION_KEYS and AUDIT_KEYS of this machine, made once. They survive `bin/demo --fresh`.

    Only bin/* fills them in; the portal itself refuses to start without its own.
    """
    path = LOCAL / "secrets.json"
    held = read(path)
    wanted = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEYS": f"local:{base64.b64encode(os.urandom(32)).decode()}",
        "AUDIT_KEYS": f"local:{secrets.token_urlsafe(48)}",
    }
    if wanted.keys() - held.keys():
        held = wanted | held
        write(path, held)
    return held


def app_environment(servers: dict[str, str], autotask: dict[str, str]) -> dict[str, str]:
    """The app's environment: what the caller set wins, the rest comes from this machine."""
    plain_http = {"INSECURE_COOKIES": "1", "LOG_FORMAT": "text", "TZ": "UTC"}
    defaults = own_secrets() | plain_http | servers | autotask
    given = {name: value for name, value in os.environ.items() if value or name not in defaults}
    # The tables' owner is of the same database as who serves.
    owner = (given if given.get("DATABASE_URL") else servers).get("DATABASE_OWNER_URL", "")
    return defaults | given | {"DATABASE_OWNER_URL": owner}
