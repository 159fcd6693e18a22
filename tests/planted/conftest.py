from collections.abc import Iterator

import pytest

from tests.both_sides import both, connect_to, partner, sandbox
from tests.faults import children

__all__ = ["both", "connect_to", "partner", "sandbox"]


@pytest.fixture(autouse=True)
def no_children_left() -> Iterator[None]:
    yield
    children.end_all()
