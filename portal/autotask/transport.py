"""One HTTP exchange with Autotask: bytes or our own error, always within the deadline. No secrets in here."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy

import requests
from requests.auth import AuthBase
from urllib3.exceptions import NameResolutionError, NewConnectionError

from portal.autotask.deadlines import Deadline, DeadlineAdapter, Timeouts
from portal.autotask.errors import NoAnswer, Permanent, Unavailable, Untrusted

USER_AGENT = "MSP billing portal"
LARGEST_BODY = 20 * 1024 * 1024
_CHUNK = 64 * 1024
_HEADERS = {
    "User-Agent": USER_AGENT,
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "Content-Type": "application/json",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, decoded from gzip but not yet understood."""

    status: int
    content_type: str
    retry_after: str
    body: bytes


class Transport:
    """A keep-alive session for one thread: no redirects, no cookies, no proxies or netrc of the machine."""

    def __init__(self, *, timeouts: Timeouts | None = None, auth: AuthBase | None = None) -> None:
        self.timeouts = timeouts or Timeouts()
        self._deadline = Deadline(self.timeouts)
        self._auth = auth
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.clear()
        self._session.headers.update(_HEADERS)
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, DeadlineAdapter(self._deadline))

    def disconnect(self) -> None:
        """The next call opens a new connection: one that gave a useless answer may hang with the next."""
        self._session.close()

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
        except requests.RequestException as error:
            problem = _translated(error, is_write(method))
        except TimeoutError:
            problem = NoAnswer("Autotask did not answer in time.", maybe_applied=is_write(method))
        # Raised out here, so that it does not carry along requests' error and with it the headers.
        raise problem

    def _exchange(self, method: str, url: str, body: bytes | None) -> Answer:
        limits = (self.timeouts.connect, self.timeouts.read)
        with self._session.request(
            method, url, data=body, auth=self._auth, timeout=limits, allow_redirects=False, stream=True
        ) as response:
            content = _read(response, is_write(method))
            kind = response.headers.get("Content-Type", "")
            return Answer(response.status_code, kind, response.headers.get("Retry-After", ""), content)


def is_write(method: str) -> bool:
    """Autotask queries are POSTs too; only PATCH and PUT change anything."""
    return method in ("PATCH", "PUT")


def _read(response: requests.Response, write: bool) -> bytes:
    chunks, size = [], 0
    for chunk in response.iter_content(_CHUNK):
        size += len(chunk)
        if size > LARGEST_BODY:
            if write:
                raise Unavailable("Autotask's answer is too large to be read.", maybe_applied=True)
            raise Permanent("Autotask's answer is too large to be read.", status=response.status_code)
        chunks.append(chunk)
    return b"".join(chunks)


def _translated(error: requests.RequestException, write: bool) -> Permanent | Unavailable:
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Untrusted("Autotask's certificate could not be verified, so nothing was sent.")
    unsent = (NewConnectionError, NameResolutionError, requests.ConnectTimeout)
    if any(isinstance(cause, unsent) for cause in causes):
        return NoAnswer("Autotask could not be reached.")
    if isinstance(error, requests.Timeout) or any(isinstance(cause, TimeoutError) for cause in causes):
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
