"""How often one may try. Counted in Redis; while that is away, each process counts by itself, logins strictly.

Nothing is limited that does not ask here. Keys in Redis are keyed hashes: no address and no e-mail stands there.
"""

import threading
from typing import NamedTuple

import structlog
from flask import Flask, current_app, request
from redis.exceptions import RedisError
from werkzeug.exceptions import TooManyRequests

from portal import clock, crypto, queue
from portal.formatters import plural

log = structlog.get_logger()


class Limit(NamedTuple):
    """At most `tries` in `seconds` from the first; `alone` of them in each process while Redis is away."""

    name: str
    tries: int
    seconds: int
    alone: int


MINUTE, QUARTER, HOUR = 60, 15 * 60, 60 * 60
LOGIN_DEVICE = Limit("login by a known device", 10, QUARTER, 10)
LOGIN_ACCOUNT_HERE = Limit("login to an account from an address", 10, QUARTER, 3)
LOGIN_ACCOUNT = Limit("login to an account", 10, MINUTE, 5)
LOGIN_ADDRESS = Limit("login from an address", 40, QUARTER, 10)
API_KEY = Limit("requests with an API key", 600, 60, 600)
API_ADDRESS = Limit("wrong API keys from an address", 60, QUARTER, 60)
PDF_INVOICE = Limit("the PDF of an invoice", 3, HOUR, 3)
PDF_PERSON = Limit("PDFs asked for by a person", 60, HOUR, 60)
RESET_ADDRESS = Limit("new passwords asked for from an address", 10, HOUR, 10)
RESET_ACCOUNT = Limit("new passwords asked for one account", 3, HOUR, 3)
EMAIL_CHANGE = Limit("changes of an e-mail address asked for by a person", 5, HOUR, 5)
RECOVERY_CODE = Limit("recovery codes of a person from an address", 10, QUARTER, 5)
WEBHOOK_TESTS = Limit("tests of webhooks by a partner", 30, HOUR, 30)
INVITATIONS = Limit("invitations sent by a partner", 60, HOUR, 60)

ASK_REDIS_AGAIN = 5.0  # seconds: a frozen Redis costs one request its time-out, not every request
MOST_COUNTERS = 50_000


class TooMany(TooManyRequests):
    """The limit is reached; `retry_after` are the seconds until the next try."""

    retry_after: int


def register(app: Flask) -> None:
    app.extensions["limits"] = _Counters()


class Room(NamedTuple):
    """How many more tries there are, until the count begins anew in so many seconds."""

    tries: int
    seconds: int


def take(limit: Limit, *who: object, what: str = "There were too many tries.") -> Room:
    """Counts one try of these. Raises TooMany beyond the limit, with the sentence `what` and when to try again."""
    key = _key(limit, who)
    made, left, alone = _count(limit, key, 1)
    most = limit.alone if alone else limit.tries
    if made > most:
        log.warning("rate.limited", limit=limit.name, who=key[-12:], redis=not alone)
        wait = plural(-(-left // 60), "minute") if left > 60 else plural(left, "second")
        raise TooMany(f"{what} Try again in {wait}.", retry_after=left)
    return Room(most - made, left)


def give_back(limit: Limit, *who: object) -> None:
    """Takes back a try that does not count, such as a login that succeeded."""
    _count(limit, _key(limit, who), -1)


def address() -> str:
    """Where the request comes from; of IPv6 the network that one customer has."""
    remote = request.remote_addr or ""
    return ":".join(remote.split(":")[:4]) if ":" in remote else remote


def _key(limit: Limit, who: tuple[object, ...]) -> str:
    return "limit:" + crypto.fingerprint(current_app.config["SECRET_KEY"], limit.name, *map(str, who))


def _count(limit: Limit, key: str, step: int) -> tuple[int, int, bool]:
    """Tries made, seconds until they are forgotten, and whether this process counted alone."""
    counters: _Counters = current_app.extensions["limits"]
    if counters.redis_may_answer():
        try:
            return *_in_redis(limit, key, step), False
        except RedisError as error:
            counters.redis_is_away()
            log.warning("limits.alone", error=type(error).__name__)
    return *counters.count(limit, key, step), True


def _in_redis(limit: Limit, key: str, step: int) -> tuple[int, int]:
    asked = queue.web_redis().pipeline(transaction=True)
    asked.set(key, 0, ex=limit.seconds, nx=True)
    asked.incrby(key, step)
    asked.ttl(key)
    _, made, left = asked.execute()
    return made, max(left, 1)


class _Counters:
    """This process's own counts, and when Redis is worth asking again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[str, tuple[int, float]] = {}
        self._ask_again_at = 0.0

    def redis_may_answer(self) -> bool:
        return clock.monotonic() >= self._ask_again_at

    def redis_is_away(self) -> None:
        self._ask_again_at = clock.monotonic() + ASK_REDIS_AGAIN

    def count(self, limit: Limit, key: str, step: int) -> tuple[int, int]:
        now = clock.monotonic()
        with self._lock:
            if len(self._made) > MOST_COUNTERS:
                self._made = {name: (n, ends) for name, (n, ends) in self._made.items() if ends > now}
            made, ends = self._made.get(key, (0, 0.0))
            if ends <= now:
                made, ends = 0, now + limit.seconds
            self._made[key] = made + step, ends
        return made + step, max(int(ends - now), 1)
