"""A call with everything around it: credentials, gate, counting, a short bounded retry for reads."""

import random
import re
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from requests.auth import AuthBase

from portal import clock, counts
from portal.autotask import answers
from portal.autotask.deadlines import Timeouts
from portal.autotask.errors import AutotaskError, Misshapen, Unauthorized, Unavailable
from portal.autotask.transport import Transport, is_write

Gate = Callable[[str], AbstractContextManager[Any]]

TRIES = 3
_SPARE_RETRIES = 5.0
_EARNED_BY_SUCCESS = 0.1
_FIRST_PAUSE = 0.3
_SENDABLE = re.compile(r"[!-~](?:[ -~]*[!-~])?")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What Autotask asks for on every call; only the user name may ever be shown."""

    username: str
    secret: str = field(repr=False)
    integration_code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CallInfo:
    """One finished HTTP call; `status` is None when no answer came."""

    method: str
    endpoint: str
    status: int | None
    seconds: float


class _Headers(AuthBase):
    """Puts the credentials on a request at the last moment, so that no variable on the way holds them."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __call__(self, request: Any) -> Any:
        request.headers["ApiIntegrationCode"] = self._credentials.integration_code
        request.headers["UserName"] = self._credentials.username
        request.headers["Secret"] = self._credentials.secret
        return request


class Calls:
    """The calls of one client. In an outage at most five reads are repeated; successes earn more."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        gate: Gate | None = None,
        on_call: Callable[[CallInfo], None] | None = None,
        timeouts: Timeouts | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        _check_sendable(credentials)
        self._credentials = credentials
        self._transport = Transport(timeouts=timeouts, auth=_Headers(credentials))
        self._gate = gate or (lambda endpoint: nullcontext())
        self._on_call = on_call or (lambda call: None)
        self._sleep = sleep
        self._spare = _SPARE_RETRIES
        # Two threads may share a client. Its calls come one after the other; a gate may call, too.
        self._turn = threading.RLock()
        self.made = 0

    def close(self) -> None:
        self._transport.disconnect()

    def write(self, method: str, url: str, endpoint: str, body: bytes) -> None:
        """PATCH or PUT, once. Unavailable(maybe_applied=True) unless Autotask confirms or refuses it."""
        content = self._once(method, url, endpoint, body, self._transport.timeouts.total)
        if "itemId" not in content:
            self._transport.disconnect()
            raise Misshapen("Autotask did not confirm the change.", maybe_applied=True)

    def read(self, method: str, url: str, endpoint: str, body: bytes | None = None) -> dict[str, Any]:
        """A call that may be repeated: at most three tries, all of them within one total time."""
        left, tries = self._transport.timeouts.total, 0
        while True:
            tries += 1
            started = clock.monotonic()
            try:
                content = self._once(method, url, endpoint, body, left)
            except Unavailable:
                pause = random.uniform(0, _FIRST_PAUSE * 2**tries)  # noqa: S311 - jitter, no secret
                left -= clock.monotonic() - started + pause
                if tries >= TRIES or self._spare < 1 or left < self._transport.timeouts.connect:
                    raise
                self._spare -= 1
                self._sleep(pause)
            else:
                self._spare = min(self._spare + _EARNED_BY_SUCCESS, _SPARE_RETRIES)
                return content

    def _once(
        self, method: str, url: str, endpoint: str, body: bytes | None, seconds: float
    ) -> dict[str, Any]:
        named = {"method": method, "entity": endpoint}
        with self._turn, counts.outcome("portal_autotask_calls_total", "answered", **named):
            return self._in_turn(method, url, endpoint, body, seconds)

    def _in_turn(
        self, method: str, url: str, endpoint: str, body: bytes | None, seconds: float
    ) -> dict[str, Any]:
        with self._gate(endpoint):
            started, status = clock.monotonic(), None
            self.made += 1
            try:
                answer = self._transport.send(method, url, body, seconds=seconds)
                status = answer.status
            finally:
                took = clock.monotonic() - started
                counts.observe("portal_autotask_call_seconds", took, method=method)
                self._on_call(CallInfo(method, endpoint, status, took))
        try:
            return answers.understood(answer, endpoint, write=is_write(method))
        except AutotaskError as error:
            if isinstance(error, Unavailable):
                self._transport.disconnect()
            error.texts = [self._without_secrets(text) for text in error.texts]
            error.args = tuple(self._without_secrets(arg) for arg in error.args)
            raise

    def _without_secrets(self, text: str) -> str:
        """A text of Autotask's, should it repeat what it was sent."""
        for secret in (self._credentials.secret, self._credentials.integration_code):
            if len(secret) > 3:
                text = text.replace(secret, "…")
        return text


def _check_sendable(credentials: Credentials) -> None:
    for value in (credentials.username, credentials.secret, credentials.integration_code):
        if not _SENDABLE.fullmatch(value):
            raise Unauthorized("The key or secret holds characters that Autotask does not accept.")
