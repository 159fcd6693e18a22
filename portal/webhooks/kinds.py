"""The kinds of events in words, in the order in which pages and the API tell them."""

from portal.models import EventKind

KINDS: dict[EventKind, str] = {
    EventKind.PAYMENT_RECORDED: "A payment was recorded",
    EventKind.PAYMENT_SETTLED: "The money of a payment arrived",
    EventKind.PAYMENT_FAILED: "A payment failed: its money did not come, or was taken back",
    EventKind.PAYMENT_REFUNDED: "A payment was refunded or charged back, whole or in part",
    EventKind.PAYMENT_DELETED: "A payment was deleted",
    EventKind.PAYMENT_CONFIRMED: "Autotask shows a payment's invoices as paid",
    EventKind.INVOICE_CREATED: "An invoice came in or was added",
    EventKind.INVOICE_CHANGED: "An invoice was changed",
    EventKind.INVOICE_PAID: "Nothing is owed for an invoice any more",
    EventKind.INVOICE_REOPENED: "Something is owed for an invoice again",
    EventKind.INVOICE_VOIDED: "An invoice was voided",
    EventKind.EXCEPTION_OPENED: "Something needs a person",
    EventKind.EXCEPTION_CLOSED: "An exception was closed",
    EventKind.NEEDS_RECONNECTING: "Autotask needs reconnecting",
}
OFFERED = list(KINDS)
# Ticked for a new endpoint. A first read brings in each invoice that there is, and their events would go before all others.
USUAL = [kind.value for kind in OFFERED if kind != EventKind.INVOICE_CREATED]
# Sent by "Test", and kept nowhere.
TEST = "webhook.test"


def words(kind: str) -> str:
    """What it says to a person; one of a newer release by its name."""
    return KINDS[EventKind(kind)] if kind in set(EventKind) else kind
