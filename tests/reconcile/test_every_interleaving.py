"""All interleavings of the delivery protocol in a small scope, driven through the real steps and rules (P5)."""

from collections import deque
from dataclasses import replace
from datetime import datetime

import pytest

from portal.models import DeliveryState
from portal.reconcile import transitions
from portal.reconcile.transitions import Held
from portal.reconcile.work import Work
from tests.how_many import how_many
from tests.reconcile.canonical import canonical
from tests.reconcile.model import D1, D2, Faults, State, clear_memory, events, held_of, is_quiet, start


def explore(faults: Faults) -> tuple[int, int, list[str]]:
    """(states, ends, the events that lead to a wrong end)."""
    first = start(faults)
    came_from: dict[State, tuple[State, str] | None] = {first: None}
    waiting, ends = deque([first]), 0
    while waiting:
        state = waiting.popleft()
        stuck = True
        for name, following in events(state):
            stuck, after = False, canonical(following)
            if after not in came_from:
                came_from[after] = (state, name)
                waiting.append(after)
        if stuck:
            ends += 1
            if not is_right(state):
                return len(came_from), ends, way_to(came_from, state)
    return len(came_from), ends, []


def is_right(state: State) -> bool:
    row = held_of(state).row
    confirmed = row.state == DeliveryState.CONFIRMED and row.done_version == row.wish_version
    return is_quiet(state) and confirmed and state.paid_on == row.wish_paid_on


def way_to(came_from: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    names = [f"ends with {state.paid_on} in Autotask: {held_of(state)}"]
    while (step := came_from[state]) is not None:
        state, name = step
        names.append(name)
    return names[::-1]


PAID_OR_NOT = (None, D1)
COARSE = {"fine": 0, "wishes": PAID_OR_NOT}
FINE = {"fine": 1, "wishes": (None, D1, D2)}
ALWAYS = [
    Faults(changes=3, crashes=0, lease_losses=2, odd_answers=0, **COARSE),
    Faults(changes=3, crashes=1, lease_losses=0, odd_answers=1, **COARSE),
    Faults(changes=3, crashes=0, lease_losses=1, odd_answers=1, **COARSE),
    Faults(changes=3, crashes=1, lease_losses=1, odd_answers=0, **COARSE),
    Faults(changes=2, crashes=1, lease_losses=1, odd_answers=1, **COARSE),
    Faults(changes=1, crashes=1, lease_losses=2, odd_answers=1, **COARSE),
    Faults(changes=2, crashes=1, lease_losses=0, odd_answers=1, early_sweeps=1, **FINE),
]
# All faults at once: a minute or more.
ON_REQUEST = [
    Faults(changes=3, crashes=1, lease_losses=2, odd_answers=1, **COARSE),
    Faults(changes=2, crashes=1, lease_losses=1, odd_answers=1, early_sweeps=1, **FINE),
]
SCOPES = ALWAYS + (ON_REQUEST if how_many("EVERY_INTERLEAVING") else [])


def named(faults: Faults) -> str:
    many = "fine " if faults.fine else ""
    return many + "-".join(map(str, faults[:5]))


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("faults", SCOPES, ids=named)
def test_every_interleaving_converges(faults: Faults):
    """P5: 2 workers, changes, crashes, lease losses, answers late or lost: 100 % end right after the sweep.

    Named by changes, crashes, lease losses, odd answers, sweeps in between; with EVERY_INTERLEAVING=1 all at once.
    """
    _, ends, wrong = explore(faults)
    assert not wrong, "\n".join(wrong)
    assert ends > 10


def test_the_enumeration_finds_a_protocol_that_forgets_its_tries(monkeypatch: pytest.MonkeyPatch):
    """It is worth something only if it fails where it must: a late write then looks like Autotask's own."""
    real = transitions.settle

    def forgetful(held: Held, work: Work, now: datetime) -> Held:
        return replace(real(held, work, now), tries=())

    monkeypatch.setattr(transitions, "settle", forgetful)
    clear_memory()
    try:
        _, _, wrong = explore(Faults(changes=2, crashes=1, lease_losses=1, odd_answers=0, **COARSE))
    finally:
        monkeypatch.undo()
        clear_memory()
    assert wrong
