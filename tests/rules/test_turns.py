"""What takes turns (tests/how_many.py) is played whole in as many turns as its mark says, and whole where it is named."""

import os
import re

import pytest

from tests.fixtures.order import those_of_other_turns
from tests.how_many import TURN, turn_of_commit
from tests.rules.test_imports import ROOT

TURNS = range(12)
FILES = sorted(ROOT.glob("tests/**/*.py"))
MARK = re.compile(r"in_turn\((\d+)\)|is_played\([^)]*, (\d+)\)")


def test_every_series_divides_twelve_turns_so_that_each_of_its_places_has_its_own() -> None:
    found = [int(a or b) for file in FILES for a, b in MARK.findall(file.read_text())]
    assert len(found) > 30
    assert {of for of in found if len(TURNS) % of} == set()


@pytest.mark.parametrize("of", [2, 3])
def test_each_is_played_once_in_so_many_turns(of: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVERYTHING", raising=False)
    items: list[pytest.Item] = [Marked(of) for _ in range(7)]  # type: ignore[misc]
    played: list[pytest.Item] = []
    for turn in range(of):
        monkeypatch.setenv(TURN, str(turn))
        waiting = those_of_other_turns(items)
        played += [item for item in items if item not in waiting]
    assert sorted(map(id, played)) == sorted(map(id, items))


def test_named_files_are_played_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TURN, raising=False)
    assert not those_of_other_turns([Marked(3), Marked(3)])  # type: ignore[list-item]


def test_the_turn_is_the_commits_own() -> None:
    assert turn_of_commit() == turn_of_commit()
    assert int(turn_of_commit()) in TURNS
    assert os.environ.get(TURN, "all") in {"all", *map(str, TURNS)}


class Marked:
    """A test of a series of so many."""

    def __init__(self, of: int) -> None:
        self.mark = pytest.mark.in_turn(of).mark

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        return self.mark if name == self.mark.name else None
