"""Settings that the portal starts with, and that an operator should still know of; versions; who owns what."""

import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import current_app
from sqlalchemy import text

from portal.access import walls
from portal.config.values import is_local
from portal.database import shares
from portal.extensions import db
from portal.models import HealthState
from portal.operating.check import Finding, ok, worth_a_look, wrong
from portal.queue import web_redis

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements.txt"
OLDEST_PYTHON, OLDEST_POSTGRESQL, OLDEST_REDIS = (3, 11), 15, (6, 2)


def configuration() -> Finding:
    """Whatever keeps the portal from starting is said by the start, which names the variable."""
    found = [*_dangerous(), *_missing()]
    if not found:
        return ok("Every setting is there.")
    state = HealthState.WRONG if _dangerous() else HealthState.LOOK
    return Finding(state, " ".join(said for said, _ in found), " ".join(mend for _, mend in found))


def _dangerous() -> list[tuple[str, str]]:
    config = current_app.config
    people_come = urlsplit(config["PORTAL_URL"]).hostname or ""
    found = []
    if not config["SESSION_COOKIE_SECURE"] and not is_local(people_come):
        found.append(("INSECURE_COOKIES is 1: logins travel in the open.", "Take INSECURE_COOKIES away."))
    asked = urlsplit(config["AUTOTASK_DISCOVERY_URL"])
    if asked.scheme != "https" and not is_local(asked.hostname or ""):
        found.append(
            ("AUTOTASK_DISCOVERY_URL is no https address: user names of Autotask travel in the open.",
             "Leave AUTOTASK_DISCOVERY_URL empty for the vendor's own.")
        )  # fmt: skip
    return found


def _missing() -> list[tuple[str, str]]:
    config = current_app.config
    known: list[tuple[Any, str, str]] = [
        (config["HOSTS"], "TRUSTED_HOSTS is empty: the portal answers under any name.", "Set TRUSTED_HOSTS."),
        (config["MAIL"], "MAIL_URL is empty: mails are kept and shown to staff, and none goes out.", "Set MAIL_URL."),
        (config["OPERATIONS_TOKEN"], "OPERATIONS_TOKEN is empty: /metrics is for this machine alone.",
         "Set OPERATIONS_TOKEN."),
        (config["AUTOTASK_INTEGRATION_CODE"], "AUTOTASK_INTEGRATION_CODE is empty: Autotask needs it of a vendor.",
         "Set AUTOTASK_INTEGRATION_CODE."),
        (not config["DEMO_LOGINS"], "DEMO_LOGINS is set: nobody needs a second factor.", "Take DEMO_LOGINS away."),
        (not config["DEMO_MAILS"], "DEMO_MAILS is 1: everybody reads all mails.", "Take DEMO_MAILS away."),
    ]  # fmt: skip
    return [(said, mend) for there, said, mend in known if not there]


def versions() -> Finding:
    server = int(db.session.scalar(text("SHOW server_version_num")) or 0) // 10000
    redis: Any = web_redis()
    queue = str(redis.info("server").get("redis_version", "0"))
    python = ".".join(map(str, sys.version_info[:3]))
    old = [
        said
        for too_old, said in (
            (sys.version_info[:2] < OLDEST_PYTHON, f"Python is {python}, 3.11 is needed."),
            (server < OLDEST_POSTGRESQL, f"PostgreSQL is {server}, {OLDEST_POSTGRESQL} is needed."),
            (_numbers(queue) < OLDEST_REDIS, f"Redis is {queue}, 6.2 is needed."),
        )
        if too_old
    ]
    other = [
        f"{name} is {have or 'missing'}, {wanted} is pinned." for name, have, wanted in _other_packages()
    ]
    if old or other:
        return wrong(
            " ".join(old + other), "Take newer servers; pip install -r requirements.txt for packages."
        )
    return ok(
        f"Python {python}, PostgreSQL {server}, Redis {queue}, every package as requirements.txt pins it."
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _other_packages() -> list[tuple[str, str, str]]:
    """(name, version here, version pinned) where they differ; what is pinned for other platforms may be missing."""
    pinned = re.findall(
        r"^([A-Za-z0-9._-]+)(?:\[.*?\])?==([^\s;]+)(\s*;)?", REQUIREMENTS.read_text(), re.MULTILINE
    )
    found = []
    for name, wanted, only_somewhere in pinned:
        try:
            have = metadata.version(name)
        except metadata.PackageNotFoundError:
            have = ""
        if have != wanted and (have or not only_somewhere):
            found.append((name, have, wanted))
    return found


def roles() -> Finding:
    if not db.session.scalar(text(walls.OWNS)):
        return ok("One role owns the tables, another one serves.")
    return worth_a_look(
        walls.ONE_ROLE, "docs/roles.md says how; a platform with one role has to do with one."
    )


def connection_budget() -> Finding:
    found = shares.room(current_app._get_current_object())  # type: ignore[attr-defined]
    if found.fits:
        return ok(str(found), found.allowed)
    mend = "Lower WEB_CONCURRENCY or DATABASE_POOL, or take a larger database."
    return (worth_a_look if found.runs else wrong)(str(found), mend, found.allowed)
