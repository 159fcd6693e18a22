"""What is owed, what Autotask should show for it, and whether both sides agree.

Sync and payments both end here: they change rows, and `restate` derives the rest from them.
"""

from portal.ledger.amounts import amount_due, recompute_amounts
from portal.ledger.restate import AT_FIRST, begin, lock_invoices, restate

__all__ = ["AT_FIRST", "amount_due", "begin", "lock_invoices", "recompute_amounts", "restate"]
