"""docs/reliability.md: every fault has a test that is there, and every command names what there is."""

import ast
import re

from mutants.subjects import SUBJECTS
from tests.how_many import NAMES
from tests.rules.test_imports import ROOT
from tests.storm.test_storm import SHORT

PAGE = (ROOT / "docs" / "reliability.md").read_text()
FAULTS = re.findall(r"^\| (F\d+) \| (.+?) \| `([^`]+)` \|$", PAGE, re.MULTILINE)


def names_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_fault_has_a_test_that_is_there() -> None:
    assert [name for name, _, _ in FAULTS] == [f"F{number}" for number in range(1, 41)]
    gone = [test for _, _, test in FAULTS if test.partition("::")[2] not in names_in(test.partition("::")[0])]
    assert gone == []


def test_the_guard_sees_a_test_that_is_gone() -> None:
    assert "test_that_is_gone" not in names_in("tests/rules/test_reliability_page.py") - {"test_that_is_gone"}
    assert "test_every_fault_has_a_test_that_is_there" in names_in("tests/rules/test_reliability_page.py")


def test_every_command_names_what_there_is() -> None:
    for path in re.findall(r"\b(tests/[\w/]+(?:\.py)?|bin/\w+)\b", PAGE):
        assert (ROOT / path).exists(), path


def test_a_promise_that_nothing_shows_says_so_and_has_no_date() -> None:
    lines = PAGE.partition("## Faults")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    for promise, _, shown, seen in rows[1:]:
        assert ("not shown yet" in shown) == (not seen), promise


def test_what_is_broken_on_purpose_and_who_is_asked_is_there() -> None:
    for name, subject in SUBJECTS.items():
        assert f"`bin/mutants {name} " in PAGE or re.search(rf"`bin/mutants [\w ]*\b{name}\b", PAGE), name
        for file in (*(f"portal/{one}.py" for one in subject.files), *subject.tests):
            assert (ROOT / file).exists(), file


def test_what_a_run_plays_is_what_the_page_says() -> None:
    rows = PAGE.partition("## Faults")[0].splitlines()
    for name in ("HISTORIES", "SYNC_HISTORIES", "OPERATIONS"):
        (row,) = [row for row in rows if f"`{name}=" in row]
        assert f"{NAMES[name][0]:,} " in row.split("|")[2], row
    assert f"{SHORT[1]} random SIGKILLs a run" in PAGE
