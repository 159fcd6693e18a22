"""Autotask sends without end? What one query may bring before a run takes a rest."""

import math
from dataclasses import dataclass

from portal.autotask.paging import LARGEST_PAGE

# Beyond the pages of what Autotask counted before: half a million records, a tenth of the hour's budget.
MOST_UNCOUNTED_PAGES = 1_000
PAUSE_SECONDS = 3600.0


class Flood(Exception):
    """Autotask sends more than a run takes in one stretch. What was committed stays, and the run goes on later."""


@dataclass
class QueryPages:
    """The pages of the query at hand."""

    seen: int = 0
    most: int = 0

    def begin(self, counted: int) -> None:
        """Counts anew: twice the pages that Autotask's own count needs, as pages can be short, and more."""
        self.seen, self.most = 0, MOST_UNCOUNTED_PAGES + 2 * math.ceil(counted / LARGEST_PAGE)

    def one_more(self, words: str | None) -> None:
        """After a page was committed. Raises Flood when there were too many."""
        self.seen += 1
        if self.seen >= self.most:
            raise Flood(
                f"Autotask sent {self.seen:,} pages of {(words or 'records').lower()} in one go, far more "
                "than it counts, and there are more. All of it is kept. Reading goes on in an hour where it stopped; "
                "cancel the run if Autotask cannot have that many."
            )
