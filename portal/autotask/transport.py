"""One HTTP exchange with Autotask: bytes or our own error, always within the deadline. No secrets in here."""

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from portal.autotask import deadlines
from portal.autotask.deadlines import Deadline, PutHeader, Timeouts
from portal.autotask.errors import NoAnswer, Permanent, Unavailable, Untrusted

USER_AGENT = "MSP billing portal"
LARGEST_BODY = 20 * 1024 * 1024
_CHUNK = 64 * 1024
HEADERS = {
    "User-Agent": USER_AGENT,
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "Content-Type": "application/json",
}
_NEVER = urllib3.Retry(False, redirect=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, decoded from gzip but not yet understood."""

    status: int
    content_type: str
    retry_after: str
    body: bytes


class Transport:
    """Kept connections for one thread: no redirects, no cookies, no proxies or netrc of the machine.

    urllib3 itself: what requests puts around it takes as long again as a small call.
    """

    def __init__(
        self, *, timeouts: Timeouts | None = None, sign: Callable[[PutHeader], None] | None = None
    ) -> None:
        self.timeouts = timeouts or Timeouts()
        self._deadline = Deadline(self.timeouts)
        self._sign = sign or (lambda put: None)
        self._pools = deadlines.pools(self._deadline, self._sign)
        self._pool_of: dict[str, urllib3.HTTPConnectionPool] = {}
        self._waits = urllib3.Timeout(connect=self.timeouts.connect, read=self.timeouts.read)

    def disconnect(self) -> None:
        """The next call opens a new connection: one that gave a useless answer may hang with the next."""
        self._pool_of.clear()
        self._pools.clear()

    def send(
        self, method: str, url: str, body: bytes | None = None, *, seconds: float | None = None
    ) -> Answer:
        """One request and its whole answer in at most `seconds` (by default the total limit).

        Raises Unavailable (maybe_applied when a write may have arrived), Untrusted for a bad certificate,
        Permanent for an answer beyond 20 MB.
        """
        self._deadline.start(self.timeouts.total if seconds is None else seconds)
        try:
            return self._exchange(method, url, body)
        except HTTPError as error:
            problem = _translated(error, is_write(method))
        except TimeoutError:
            problem = NoAnswer("Autotask did not answer in time.", maybe_applied=is_write(method))
        # Raised out here, so that it does not carry along urllib3's error and with it the connection.
        raise problem

    def _exchange(self, method: str, url: str, body: bytes | None) -> Answer:
        origin = url[: url.index("/", len("https://"))]
        pool = self._pool_of.get(origin)
        if pool is None:
            pool = self._pool_of[origin] = self._pools.connection_from_url(url)
        response = pool.urlopen(
            method,
            url[len(origin) :],
            body,
            HEADERS,
            _NEVER,
            redirect=False,
            timeout=self._waits,
            preload_content=False,
        )
        try:
            content = _read(response, is_write(method))
        except BaseException:
            response.close()  # what is left of it would be taken for the next answer
            raise
        response.release_conn()
        kind = response.headers.get("Content-Type", "")
        return Answer(response.status, kind, response.headers.get("Retry-After", ""), content)


def is_write(method: str) -> bool:
    """Autotask queries are POSTs too; only PATCH and PUT change anything."""
    return method in ("PATCH", "PUT")


def _read(response: urllib3.BaseHTTPResponse, write: bool) -> bytes:
    chunks, size = [], 0
    for chunk in response.stream(_CHUNK, decode_content=True):
        size += len(chunk)
        if size > LARGEST_BODY:
            if write:
                raise Unavailable("Autotask's answer is too large to be read.", maybe_applied=True)
            raise Permanent("Autotask's answer is too large to be read.", status=response.status)
        chunks.append(chunk)
    return b"".join(chunks)


def _translated(error: HTTPError, write: bool) -> Permanent | Unavailable:
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Untrusted("Autotask's certificate could not be verified, so nothing was sent.")
    unsent = (NewConnectionError, ConnectTimeoutError)
    if any(isinstance(cause, unsent) for cause in causes):
        return NoAnswer("Autotask could not be reached.")
    if any(isinstance(cause, (TimeoutError, urllib3.exceptions.TimeoutError)) for cause in causes):
        return NoAnswer("Autotask did not answer in time.", maybe_applied=write)
    return NoAnswer("The connection to Autotask broke off.", maybe_applied=write)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and everything that is wrapped inside it, at most ten deep."""
    for _ in range(10):
        if error is None:
            return
        yield error
        wrapped = [getattr(error, "reason", None), *error.args, error.__cause__, error.__context__]
        error = next((inner for inner in wrapped if isinstance(inner, BaseException)), None)
