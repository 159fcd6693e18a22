"""What lies outside the portal, tried once: Autotask's address, the mail server, the bucket; clocks and queues."""

import secrets
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

from flask import current_app
from sqlalchemy import text

from portal import clock, storage
from portal.config.values import authorities
from portal.extensions import db
from portal.formatters import plural
from portal.mail import smtp
from portal.mail.smtp import Outcome
from portal.operating.check import Finding, ok, worth_a_look, wrong
from portal.queue import QUEUES, web_redis

SECONDS = 5.0
MOST_APART = 5.0  # seconds between two clocks
MOST_BELLS = 1000
MOST_MEMORY = 0.7
SCHEDULED = "rq:scheduler:scheduled_jobs"
ENTRIES = {"tick-due-work", "tick-sweep", "tick-upkeep"}


def autotask() -> Finding:
    """Its address answers; no login is tried."""
    parts = urlsplit(current_app.config["AUTOTASK_DISCOVERY_URL"])
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((host, port), SECONDS) as connection:
            if parts.scheme == "https":
                context = ssl.create_default_context(cafile=authorities())
                context.wrap_socket(connection, server_hostname=host).close()
    except OSError as error:
        return wrong(
            f"{host}:{port} could not be reached ({type(error).__name__}). Payments are recorded and wait; nothing new "
            "comes in.",
            "Look at the network and at Autotask's status page; waiting work goes on by itself.",
        )
    return ok(f"{host}:{port} answers.")


def mail() -> Finding:
    server = current_app.config["MAIL"]
    if server is None:
        return worth_a_look("There is no mail server: mails are kept and shown to staff.", "Set MAIL_URL.")
    answer = smtp.reach(server)
    if answer.outcome == Outcome.SENT:
        return ok(f"{server.host}:{server.port} takes mails of {server.sender}.")
    return wrong(answer.words, "Check MAIL_URL. Mails wait up to three days and then go out by themselves.")


def stored_files() -> Finding:
    """Keeps a few bytes, reads them and takes them away."""
    if not current_app.config["STORAGE_URL"]:
        return ok("PDFs lie in PostgreSQL.")
    key, data = f"doctor/{secrets.token_hex(8)}", secrets.token_bytes(16)
    try:
        storage.put(0, key, data)
        same = storage.get(0, key) == data
        storage.remove(0, key)
    except storage.StorageFailed as failure:
        return wrong(
            str(failure), "Check STORAGE_URL and the AWS_ variables. PDFs are read again by themselves."
        )
    if not same:
        return wrong("The bucket gave back something else than was put in.", "Look at the bucket.")
    return ok("The bucket keeps files, gives them back and takes them away.")


def clocks() -> Finding:
    before = clock.now()
    there = db.session.scalar(text("SELECT clock_timestamp()"))
    after = clock.now()
    assert there is not None
    apart = max(0.0, (before - there).total_seconds(), (there - after).total_seconds())
    said = f"This machine's clock and PostgreSQL's are {apart:.1f} seconds apart."
    if apart <= MOST_APART:
        return ok(said, round(apart))
    return wrong(
        said, "Let this machine's clock follow a time server: codes of authenticator apps fail.", round(apart)
    )


def queues() -> Finding:
    """How full Redis is, whether bells are heard, and whether the scheduler's table stands in it."""
    redis: Any = web_redis()
    waiting = {name: int(redis.llen(f"rq:queue:{name}")) for name in QUEUES}
    memory = redis.info("memory")
    used, most = int(memory.get("used_memory", 0)), int(memory.get("maxmemory", 0))
    found = [
        f"{plural(number, 'bell')} wait in the queue {name}."
        for name, number in waiting.items()
        if number > MOST_BELLS
    ]
    if most and used > most * MOST_MEMORY:
        found.append(f"Redis uses {round(100 * used / most)} % of its memory.")
    missing = ENTRIES - {name.decode(errors="replace") for name in redis.zrange(SCHEDULED, 0, -1)}
    if missing:
        found.append(f"The scheduler's table lacks {', '.join(sorted(missing))}.")
    if found:
        mend = "Start the worker and the scheduler: both mend it. If memory stays short, take a larger Redis."
        return wrong(" ".join(found), mend, sum(waiting.values()))
    return ok(f"{plural(sum(waiting.values()), 'bell')} in the queues; the scheduler's table is whole.")
