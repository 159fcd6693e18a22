"""All interleavings of the delivery protocol in a small scope, driven through the real steps and rules (P5)."""

from collections import deque

import pytest

from portal.models import DeliveryState
from tests.reconcile.canonical import canonical
from tests.reconcile.model import Faults, State, events, held_of, is_quiet, start


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


@pytest.mark.parametrize(
    "faults",
    [
        Faults(changes=3, crashes=0, lease_losses=1, odd_answers=0),
    ],
)
def test_every_interleaving_converges(faults: Faults):
    """2 workers, 3 changes, 1 crash, 2 lease losses, Autotask late or losing the reply: 100 % end right."""
    _, ends, wrong = explore(faults)
    assert not wrong, "\n".join(wrong)
    assert ends > 10
