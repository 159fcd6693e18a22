"""Writes docs/security.md from tests/asvs_5.txt: `python -m tests.security_table`."""

import ast
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROWS, PAGE = ROOT / "tests" / "asvs_5.txt", ROOT / "docs" / "security.md"
STATES = {
    "met": "met, held by a test",
    "place": "met, in one place",
    "n/a": "not applicable",
    "open": "open",
}
CHAPTERS = {
    "1": "Encoding and sanitisation", "2": "Validation and business logic", "3": "Web frontend", "4": "API and web service",
    "5": "Files", "6": "Authentication", "7": "Sessions", "8": "Authorisation", "9": "Self-contained tokens",
    "10": "OAuth and OIDC", "11": "Cryptography", "12": "Communication", "13": "Configuration", "14": "Data protection",
    "15": "Coding and architecture", "16": "Logging and errors", "17": "WebRTC",
}  # fmt: skip
HEAD = """# What the portal's security is held by

Each requirement of the OWASP Application Security Verification Standard 5.0.0 (levels 1 and 2), in a few words of our own:
met and held by the automatic test that is named (all below `tests/`), met in the place that is named, not applicable
because, or open. Their own words: https://github.com/OWASP/ASVS (CC BY-SA 4.0), from which the numbers and levels are.

Written by `python -m tests.security_table` from `tests/asvs_5.txt`; a test that is renamed or taken away fails
`tests/rules/test_security_table.py`. Whether a test or a place does meet its requirement was judged by the developers,
not by an outside audit.
"""


@dataclass(frozen=True)
class Requirement:
    """One line of the file: its number, level (1 or 2), words, state, and the test, place or reason."""

    number: str
    level: str
    words: str
    state: str
    where: str


def requirements() -> list[Requirement]:
    return [Requirement(*line.split(" | ", 4)) for line in ROWS.read_text().splitlines()]


def missing(one: Requirement) -> str:
    """What a row names that is not there; empty when all is."""
    if one.state not in STATES:
        return f"{one.number}: no such state: {one.state}"
    if one.state == "place" and not (ROOT / one.where).exists():
        return f"{one.number}: no such place: {one.where}"
    if one.state == "met":
        file, _, test = one.where.partition("::")
        if not test or test not in _tests(file):
            return f"{one.number}: no such test: tests/{one.where}"
    return "" if one.where else f"{one.number}: no reason"


@cache
def _tests(file: str) -> frozenset[str]:
    path = ROOT / "tests" / file
    if not path.is_file():
        return frozenset()
    return frozenset(
        node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)
    )


def page() -> str:
    rows = requirements()
    counts = Counter((one.state, one.level) for one in rows)
    lines = [HEAD, "| | level 1 | level 2 |", "|---|---|---|"]
    lines += [f"| {words} | {counts[state, '1']} | {counts[state, '2']} |" for state, words in STATES.items()]
    for number, title in CHAPTERS.items():
        lines += ["", f"## V{number} {title}", "", "| | level | what | state | by |", "|---|---|---|---|---|"]
        lines += [_line(one) for one in rows if one.number.split(".")[0] == number]
    return "\n".join(lines) + "\n"


def _line(one: Requirement) -> str:
    where = f"`{one.where}`" if one.state in ("met", "place") else one.where
    state = "met" if one.state == "place" else one.state
    return f"| {one.number} | {one.level} | {one.words} | {state} | {where} |"


if __name__ == "__main__":
    PAGE.write_text(page())
