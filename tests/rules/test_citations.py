"""What code, tests and templates cite stands in docs/ (rules, steps, crash points, faults), under a heading or in a table."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

from sandbox.switches import Switches

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("portal", "jobs", "sandbox", "local", "storm", "bench", "tests", "migrations")
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "sandbox" / "README.md"]

NUMBER = r"\d(?:\.\d{1,2})?"
LIST = r"(?:(?:, | and |, and | to )(?:[Rr]ules? )?)"
RULES = re.compile(rf"\b[Rr]ules? ({NUMBER}(?:{LIST}{NUMBER})*)")
# S3 is also the name of a storage, so S is a crash point only where it says so.
POINTS = re.compile(r"\b(B4-\d+|[FKPW]\d{1,2}|D1?\d)\b(?![-%]|\.\d)")
CRASH_POINTS = re.compile(r"[Cc]rash points? (S\d{1,2}(?:(?:, | and | to )S\d{1,2})*)")
BUGS = re.compile(r"[Pp]lanted bugs? (\d+(?:(?:, | and )\d+)*)")
ELSEWHERE = re.compile(
    r"\b(?:(?:issue|nr\.?) \d+|(?<!docs/)(?:api|reliability|design)\.md|mission/|shared/)", re.IGNORECASE
)  # docs/ has pages of these names


def files() -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [*found, *sorted((ROOT / "templates").rglob("*.html"))]


@cache
def said(path: Path) -> list[str]:
    """What a file says to readers: comments and docstrings, joined over lines."""
    source = path.read_text()
    if path.suffix == ".html":
        return [re.sub(r"\s+", " ", text) for text in re.findall(r"\{#(.*?)#\}", source, re.DOTALL)]
    return [*said_by_code(source)]


def said_by_code(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield re.sub(r"\s+", " ", ast.get_docstring(node) or "")
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    yield " ".join(token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT)


def cited(text: str) -> set[str]:
    found = {f"rule {number}" for match in RULES.finditer(text) for number in re.findall(NUMBER, match[1])}
    found |= {match[1] for match in POINTS.finditer(text)}
    found |= {point for match in CRASH_POINTS.finditer(text) for point in re.findall(r"S\d+", match[1])}
    return found | {f"bug {n}" for match in BUGS.finditer(text) for n in re.findall(r"\d+", match[1])}


def defined(pages: list[str]) -> set[str]:
    """Headings and first cells of tables, by the names that are cited."""
    text = "\n".join(pages)
    found = {f"rule {number}" for number in re.findall(r"^#+ (\d(?:\.\d+)?)[. ]", text, re.MULTILINE)}
    found |= set(re.findall(r"^\| ([A-Z]\d+(?:-\d+)?) \|", text, re.MULTILINE))
    (bugs,) = re.findall(r"^## Planted bugs\n(.*)", text, re.MULTILINE | re.DOTALL)
    return found | {f"bug {number}" for number in re.findall(r"[:·]\s+(\d+) [A-Za-z]", bugs)}


DEFINED = defined([page.read_text() for page in PAGES])


def test_whatever_is_cited_is_defined_here() -> None:
    missing = {
        str(path.relative_to(ROOT)): sorted(lacking)
        for path in files()
        if (lacking := set().union(*map(cited, said(path))) - DEFINED)
    }
    assert not missing


def test_nothing_is_cited_that_does_not_stand_in_the_project() -> None:
    found = {str(path.relative_to(ROOT)) for path in files() for text in said(path) if ELSEWHERE.search(text)}
    assert not found


def test_a_citation_without_a_heading_is_found() -> None:
    assert cited("Crash point S99, rules 1.3 and 9.9; W77.") - DEFINED == {"S99", "rule 9.9", "W77"}


def test_every_switch_of_the_sandbox_stands_beside_the_fact_that_it_plays() -> None:
    facts = (ROOT / "docs" / "autotask.md").read_text()
    assert not {one.name for one in fields(Switches) if f"`{one.name}`" not in facts}


def test_the_pages_define_every_rule_step_and_point() -> None:
    wanted = {*(f"W{n}" for n in range(17)), *(f"K{n}" for n in range(1, 7)), *(f"S{n}" for n in range(15))}
    wanted |= {*(f"B4-{n}" for n in range(1, 21)), *(f"bug {n}" for n in range(1, 25)), "rule 1.1", "rule 8"}
    assert not wanted - DEFINED
