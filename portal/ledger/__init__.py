"""What is owed, what Autotask should show for it, and whether both sides agree.

Sync and payments both end here: they change rows, and `restate` derives the rest from them.
"""

from portal.ledger import came_back
from portal.ledger.derive import AT_FIRST, begin, lock_invoices, restate
from portal.ledger.owed import amount_due, recompute_amounts

__all__ = ["AT_FIRST", "amount_due", "begin", "came_back", "lock_invoices", "recompute_amounts", "restate"]
