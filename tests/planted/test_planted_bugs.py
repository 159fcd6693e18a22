"""The suites are worth something only if they fail where they must: 31 planted bugs, 31 found (P35)."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from portal.payments.idempotency import KeyReused
from tests.both_sides import Both
from tests.planted import bugs, checks

# How a check fails: what it asserts, what it expects to be raised, or (11) a key that is not free.
FAILURES = (AssertionError, pytest.fail.Exception, KeyReused)
NUMBERS = sorted(bugs.PLANTED)
CHECKS = [
    found
    for name, found in inspect.getmembers(checks, inspect.isfunction)
    if found.__module__ == checks.__name__ and not name.startswith("_")
]


@pytest.fixture
def call(request: pytest.FixtureRequest, both: Both) -> Callable[..., None]:
    """Calls a test with the fixtures that it names."""

    def with_fixtures(test: Callable[..., None], **values: Any) -> None:
        names = [name for name in inspect.signature(test).parameters if name not in values]
        test(**{name: request.getfixturevalue(name) for name in names}, **values)

    return with_fixtures


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_portal_as_it_is_passes(call: Callable[..., None], check: Callable[..., None]):
    call(check)


def test_all_31_are_planted():
    assert list(range(1, 32)) == NUMBERS


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: f"{number} {bugs.PLANTED[number][0].__name__}")
def test_a_planted_bug_is_found(call: Callable[..., None], monkeypatch: pytest.MonkeyPatch, number: int):
    """The test that is there for it fails while the bug is in."""
    plant, test, values = bugs.PLANTED[number]
    plant(monkeypatch)
    with pytest.raises(FAILURES):
        call(test, **values)
