"""What an answer means. The body decides before the status: Autotask answers validation errors with 500."""

import re
from email.utils import parsedate_to_datetime
from typing import Any

from portal import clock
from portal.autotask import wire
from portal.autotask.errors import (
    AutotaskError,
    Forbidden,
    Misshapen,
    NotFound,
    Permanent,
    Rejected,
    Throttled,
    Unauthorized,
    Unavailable,
    UnknownUser,
    Untrusted,
)
from portal.autotask.transport import Answer

_ANY_CASE = re.IGNORECASE
_LIMITED = re.compile(
    r"thread threshold|threshold of \d+ threads|itgenatr005|too many requests|rate limit"
    r"|threshold.{0,60}exceeded|exceeded.{0,60}(?:request|call) (?:threshold|limit)",
    _ANY_CASE,
)
_UNKNOWN_USER = re.compile(r"zone information could not be determined", _ANY_CASE)
_FORBIDDEN = re.compile(
    r"adequate permission|(?:not|n't) have.{0,40}permission|(?:not |un)authori[sz]ed to|permission denied"
    r"|access (?:is )?denied|insufficient (?:permission|privilege|right)",
    _ANY_CASE,
)
_UNKNOWN_CODE = re.compile(r"integration ?code.{0,20}(?:invalid|not valid)", _ANY_CASE)
_UNAUTHORIZED = re.compile(
    r"invalid credentials|login failed|\bunauthori[sz]ed\b|invalid (?:user ?name|secret)", _ANY_CASE
)
_SHUT_OUT = re.compile(
    r"\b(?:user|account|resource)\b.{0,40}\b(?:is |has been |was )?(?:inactive|not active|deactivated|locked|disabled)\b",
    _ANY_CASE,
)
_MISSING = re.compile(r"no matching records? found", _ANY_CASE)
_PASSING = re.compile(
    r"timeout expired|execution timeout|deadlock|try (?:again|your request again)|temporarily unavailable",
    _ANY_CASE,
)
_GATEWAY = (408, 502, 503, 504)
_MOST_TEXTS, _LONGEST_TEXT = 20, 500


def understood(answer: Answer, endpoint: str, *, write: bool) -> dict[str, Any]:
    """The JSON object of a good answer, or the error that fits.

    `maybe_applied` is set on Unavailable when `write` and the outcome cannot be known.
    """
    content = _content(answer)
    texts = texts_of(content, answer.status)
    problem = _problem(answer, endpoint, texts, write)
    if problem is not None:
        raise problem
    if isinstance(content, dict):
        return content
    if isinstance(content, wire.TooDeep) and not write:
        raise Permanent("Autotask's answer cannot be read.", status=answer.status)
    raise _unusable(answer, content, write)


def _content(answer: Answer) -> Any:
    """The parsed body, None for an empty one, the BadJson error for one that is not JSON."""
    if not answer.body.strip():
        return None
    try:
        return wire.loads(answer.body)
    except wire.BadJson as error:
        return error


def texts_of(content: Any, status: int) -> list[str]:
    """Autotask's own words in an error body: {"errors": [...]} or {"Message": "..."}; printable."""
    if not isinstance(content, dict):
        return []
    named = {str(key).lower(): value for key, value in content.items() if len(str(key)) < 20}
    bare = None if 200 <= status < 300 else named.get("message")
    found = named.get("errors") or bare or []
    listed = found if isinstance(found, list) else [found]
    return [text for item in listed[:_MOST_TEXTS] if (text := _words(item))]


def _words(item: Any) -> str:
    if isinstance(item, dict):
        item = item.get("message") or item.get("Message") or item.get("error") or ""
    text = item[: _LONGEST_TEXT * 2] if isinstance(item, str) else str(item)[: _LONGEST_TEXT * 2]
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:_LONGEST_TEXT]


def _problem(answer: Answer, endpoint: str, texts: list[str], write: bool) -> AutotaskError | None:
    status, said = answer.status, " ".join(texts) or _plain_words(answer)
    if status == 429 or ((not 200 <= status < 300 or texts) and _LIMITED.search(said)):
        message = "Autotask limits requests at the moment. The portal goes on by itself later."
        wait = retry_after(answer.retry_after)
        return Throttled(message, status=status, texts=texts, retry_after=wait)
    if 300 <= status < 400:
        return Untrusted(
            "Autotask sent the portal to another address, which it does not follow.", status=status
        )
    if status in _GATEWAY:
        return Unavailable(
            "Autotask is not available at the moment.", status=status, texts=texts, maybe_applied=write
        )
    if status in (401, 403):
        return _by_status(answer, endpoint, texts, write)
    if texts:
        return _by_words(status, endpoint, texts, write)
    return None if 200 <= status < 300 else _by_status(answer, endpoint, texts, write)


def _plain_words(answer: Answer) -> str:
    """The start of a body that is neither JSON nor a web page, for limit texts sent as bare text."""
    return "" if _is_page(answer) else answer.body[:1000].decode("utf-8", "replace")


def _by_words(status: int, endpoint: str, texts: list[str], write: bool) -> AutotaskError:
    said = " ".join(texts)
    if _SHUT_OUT.search(said):
        return _shut_out(status, texts)
    if _UNKNOWN_USER.search(said):
        return UnknownUser("Autotask does not know this user name.", status=status, texts=texts)
    if _FORBIDDEN.search(said):
        return _forbidden(endpoint, status, texts, write)
    if _UNKNOWN_CODE.search(said):
        message = "Autotask did not accept the integration code of this portal."
        return Unauthorized(message, status=status, texts=texts)
    if _UNAUTHORIZED.search(said):
        return _unauthorized(status, texts)
    if status == 404 or _MISSING.search(said):
        return _missing(endpoint, status, texts)
    if _PASSING.search(said):
        message = "Autotask could not finish this at the moment."
        return Unavailable(message, status=status, texts=texts, maybe_applied=write)
    return Rejected(f"Autotask refused: {texts[0][:300]}", status=status, texts=texts)


def _by_status(answer: Answer, endpoint: str, texts: list[str], write: bool) -> AutotaskError:
    status = answer.status
    if status == 401:
        return _unauthorized(status, texts)
    if status == 403 and _SHUT_OUT.search(" ".join(texts)):
        return _shut_out(status, texts)
    if status == 403:
        return _forbidden(endpoint, status, texts, write)
    if status == 404 and _is_page(answer):
        return Rejected(f"Autotask does not offer {endpoint} at this address.", status=status)
    if status == 404:
        return _missing(endpoint, status, texts)
    if 400 <= status < 500:
        return Rejected(f"Autotask refused this without a reason (code {status}).", status=status)
    return _unavailable(status, texts, write)


def _unavailable(status: int, texts: list[str], write: bool) -> Unavailable:
    message = "Autotask is not available at the moment."
    return Unavailable(message, status=status, texts=texts, maybe_applied=write)


def _unauthorized(status: int, texts: list[str]) -> Unauthorized:
    return Unauthorized("Autotask did not accept the key or secret.", status=status, texts=texts)


def _shut_out(status: int, texts: list[str]) -> Unauthorized:
    message = f"Autotask does not let this user in: {texts[0][:300]}"
    return Unauthorized(message, status=status, texts=texts)


def _forbidden(endpoint: str, status: int, texts: list[str], write: bool) -> Forbidden:
    verb = "change" if write else "read"
    message = f"The Autotask user has no right to {verb} {endpoint}."
    return Forbidden(message, status=status, texts=texts)


def _missing(endpoint: str, status: int, texts: list[str]) -> NotFound:
    return NotFound(f"Autotask has no such record in {endpoint}.", status=status, texts=texts)


def _is_page(answer: Answer) -> bool:
    return "html" in answer.content_type.lower() or answer.body.lstrip()[:1] == b"<"


def _unusable(answer: Answer, content: Any, write: bool) -> Unavailable:
    """A good status with something else than an object: only what was damaged on the way says nothing more."""
    kind: type[Unavailable] = Misshapen
    if _is_page(answer):
        message = "Autotask answered with a web page instead of data; it may be under maintenance."
    elif isinstance(content, wire.BadJson):
        kind, message = Unavailable, "Autotask's answer was cut off or damaged."
    else:
        message = "Autotask sent an empty answer."
    return kind(message, status=answer.status, maybe_applied=write)


def retry_after(header: str) -> float | None:
    """Seconds from a Retry-After header, seconds or HTTP date, kept within 1 s and 1 h; None for garbage."""
    text = header.strip()[:64]
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
        seconds = float(text)
    else:
        try:
            when = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        if when.tzinfo is None:
            return None
        seconds = (when - clock.now()).total_seconds()
    return min(max(seconds, 1.0), 3600.0)
