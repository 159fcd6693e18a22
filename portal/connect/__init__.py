"""1 CONNECT: a partner's integration, tested before it is saved, and the only way to call its Autotask."""

from portal.connect.calls import calling, calling_to
from portal.connect.currencies import currency_of
from portal.connect.errors import ConnectRefused, NotConnected, Paused
from portal.connect.moving import has_moved
from portal.connect.opening import client_for
from portal.connect.saving import (
    current,
    disconnect,
    end_matching,
    known_customers,
    matches_invoices,
    owed_deliveries,
    save_connection,
)
from portal.connect.settings import set_identifier, set_totals_mode
from portal.connect.testing import test_connection
from portal.connect.totals import decide_totals
from portal.connect.tries import check
from portal.connect.verify import ConnectRequest, Verified

__all__ = [
    "ConnectRefused",
    "ConnectRequest",
    "NotConnected",
    "Paused",
    "Verified",
    "calling",
    "calling_to",
    "check",
    "client_for",
    "currency_of",
    "current",
    "decide_totals",
    "disconnect",
    "end_matching",
    "has_moved",
    "known_customers",
    "matches_invoices",
    "owed_deliveries",
    "save_connection",
    "set_identifier",
    "set_totals_mode",
    "test_connection",
]
