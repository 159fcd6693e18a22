"""What each kind of event says: which record, how much, what before and after, with a link to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from portal import formatters
from portal.access.permissions import shown
from portal.models import AuditEvent, ImportResult
from portal.queries.event_records import MOST_NAMED, Records, invoice_ids


@dataclass(frozen=True)
class Piece:
    """A part of a sentence; with an endpoint it links there."""

    text: str
    endpoint: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


Pieces = Sequence[Piece]
Tell = Callable[[AuditEvent, Records], Pieces]


def pieces(event: AuditEvent, records: Records) -> Pieces:
    """The sentence of one event; one of an unknown kind is told by its own name."""
    tell = SENTENCES.get(event.event)
    return (
        tell(event, records) if tell else said(event.event.replace("_", " ").replace(".", " ").capitalize())
    )


def said(text: str) -> Pieces:
    return [Piece(text)]


def _invoice(records: Records, invoice_id: int | None) -> Pieces:
    """The invoice with its customer, each as a link."""
    row = records.invoices.get(invoice_id or 0)
    if row is None:
        return said("an invoice that is not here any more")
    customer = records.customers.get(row.customer_id)
    owner = [Piece(" of "), _customer(customer.id, customer.name)] if customer else []
    return [Piece(row.number or "(no number)", "invoices.show", {"invoice_id": row.id}), *owner]


def _customer(customer_id: int, name: str) -> Piece:
    return Piece(name, "customers.show", {"customer_id": customer_id})


def _money(event: AuditEvent) -> str:
    amount, currency = str(event.details.get("amount", "")), event.details.get("currency", "")
    try:
        return formatters.money(Decimal(amount), currency)
    except InvalidOperation:
        return amount


def _payment(how: str) -> Tell:
    def tell(event: AuditEvent, records: Records) -> Pieces:
        told = [Piece(f"Payment of {_money(event)}", "payments.show", {"payment_id": event.subject_id})]
        row = records.payments.get(event.subject_id or 0)
        customer = records.customers.get(row.customer_id) if row else None
        if customer is not None:
            told += [Piece(" by "), _customer(customer.id, customer.name)]
        ids = invoice_ids(event)
        parts = [one for number in ids[:MOST_NAMED] for one in (Piece(", "), _number(records, number))]
        paid = [Piece(" for "), *parts[1:], Piece(_more(ids))] if parts else []
        return [*told, Piece(f" {how}"), *paid]

    return tell


def _number(records: Records, invoice_id: int) -> Piece:
    return _invoice(records, invoice_id)[0]


def _credit(how: str) -> Tell:
    def tell(event: AuditEvent, records: Records) -> Pieces:
        credit = _number(records, event.details.get("credit_id") or 0)
        return [
            Piece(f"{_money(event)} of credit "),
            credit,
            Piece(f" {how} "),
            *_invoice(records, event.subject_id),
        ]

    return tell


def _one_invoice(before: str, after: str) -> Tell:
    return lambda event, records: [
        Piece(before),
        *_invoice(records, event.details.get("invoice_id") or event.subject_id),
        Piece(after),
    ]


def _one_customer(after: str) -> Tell:
    def tell(event: AuditEvent, records: Records) -> Pieces:
        row = records.customers.get(event.subject_id or 0)
        name = row.name if row else str(event.details.get("name", ""))
        return [Piece("Customer "), _customer(event.subject_id or 0, name), Piece(after)]

    return tell


def _several(one: str, after: str, name: Callable[[Records, int], Pieces]) -> Tell:
    """`Invoices A, B and 3 more archived`, each a link."""

    def tell(event: AuditEvent, records: Records) -> Pieces:
        ids = event.details.get("ids") or []
        told = [piece for number in ids[:MOST_NAMED] for piece in (Piece(", "), *name(records, number))]
        return [Piece(f"{one if len(ids) == 1 else one + 's'} "), *told[1:], Piece(f"{_more(ids)} {after}")]

    return tell


def _more(ids: Sequence[int]) -> str:
    """How many are not named."""
    return f" and {formatters.count(len(ids) - MOST_NAMED)} more" if len(ids) > MOST_NAMED else ""


def _customers_name(records: Records, customer_id: int) -> Pieces:
    row = records.customers.get(customer_id)
    return [_customer(customer_id, row.name if row else "that is not here any more")]


def _label(records: Records, item_id: int) -> Pieces:
    row = records.exceptions.get(item_id)
    return [Piece(row.label if row else str(item_id), "exceptions.show", {"item_id": item_id})]


def _run(how: str) -> Tell:
    kinds = {
        "all": "everything", "new": "new data", "unpaid": "unpaid invoices", "customers": "customers and contacts",
        "pdfs": "PDF invoices", "reread": "single records",
    }  # fmt: skip

    def tell(event: AuditEvent, records: Records) -> Pieces:
        kind = str(event.details.get("kind", ""))
        link = Piece(f"Sync of {kinds.get(kind, kind)}", "sync_runs.show", {"run_id": event.subject_id})
        return [link, Piece(f" {how}")]

    return tell


def _plain(sentence: str) -> Tell:
    """A sentence with the event's own details in it."""
    return lambda event, _: said(sentence.format_map(_Details(shown(event.details))))


WITHHELD = {"email": "A person", "username": "its API user"}  # from those who do not need them


class _Details(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return WITHHELD.get(name, "–")


def _tested(event: AuditEvent, _: Records) -> Pieces:
    return said(
        f"Connection to Autotask tested: {'it works' if event.details.get('ok') else 'it does not work'}"
    )


def _took_over(event: AuditEvent, records: Records) -> Pieces:
    day = (
        formatters.day(date.fromisoformat(event.details["paid_on"]))
        if event.details.get("paid_on")
        else "there"
    )
    return [
        Piece(f"Autotask's paid date {day} cleared on "),
        *_invoice(records, event.details.get("invoice_id")),
    ]


def _import(event: AuditEvent, _: Records, how: str = "brought in") -> Pieces:
    counts = [
        f"{formatters.count(number)} {result}"
        for result in ImportResult
        if (number := event.details.get(result.value))
    ]
    kind = str(event.details.get("kind", "")).capitalize()
    file = f" from {name}" if (name := event.details.get("file")) else ""
    return [
        Piece(f"{kind}{file} {how}", "imports.show", {"import_id": event.subject_id}),
        Piece(f": {', '.join(counts) or 'none'}"),
    ]


def _visit(how: str) -> Tell:
    return lambda event, _: [
        Piece("Support visit", "activity.visit", {"visit_id": event.subject_id}),
        Piece(f" {how}"),
    ]


SENTENCES: dict[str, Tell] = {
    "import.done": _import,
    "import.undone": lambda event, records: _import(event, records, "undone"),
    "payment.recorded": _payment("recorded"),
    "payment.deleted": _payment("deleted"),
    "payment.settled": _payment("arrived"),
    "payment.failed": _payment("failed"),
    "payment.refunded": _payment("refunded"),
    "payment.charged_back": _payment("charged back"),
    "credit.applied": _credit("applied to"),
    "credit.removed": _credit("taken back from"),
    "invoice.created": _one_invoice("Invoice ", " added"),
    "invoice.changed": _one_invoice("Invoice ", " changed"),
    "invoice.matched": _one_invoice("Invoice ", " matched by hand to one in Autotask"),
    "invoice.match_taken_back": _one_invoice("Match by hand of invoice ", " taken back"),
    "invoices.archived": _several("Invoice", "archived", _invoice),
    "invoices.restored": _several("Invoice", "taken out of the archive", _invoice),
    "customer.created": _one_customer(" added"),
    "customer.changed": _one_customer(" changed"),
    "customers.archived": _several("Customer", "archived", _customers_name),
    "customers.restored": _several("Customer", "taken out of the archive", _customers_name),
    "exceptions.resolved": _several("Exception", "resolved", _label),
    "exceptions.reopened": _several("Exception", "opened again", _label),
    "delivery.retried": _one_invoice("Resent to Autotask: ", ""),
    "delivery.sent_again": _one_invoice("Paid date of ", " sent to Autotask again"),
    "delivery.took_over": _took_over,
    "delivery.left_to_autotask": _one_invoice("Autotask's paid date kept on ", ""),
    "sync_run.started": _run("started"),
    "sync_run.cancelled": _run("cancelled"),
    "filters.changed": _plain("Filters changed"),
    "integration.connected": _plain("Autotask connected as {username}, {role}"),
    "integration.reconnected": _plain("Autotask connected again as {username}, {role}"),
    "integration.disconnected": _plain(
        "Autotask disconnected; {deliveries_owed} deliveries were still owed to it"
    ),
    "integration.role_changed": _plain("Autotask's role changed from {before} to {after}"),
    "integration.tested": _tested,
    "integration.refused": _plain("Autotask refused the login"),
    "integration.recovered": _plain("Autotask accepts the login again"),
    "integration.moved": _plain("Autotask moved this partner to another address"),
    "integration.identifier_set": _plain(
        "Number shown on invoices changed; {invoices_renumbered} got another"
    ),
    "integration.totals_mode_set": _plain(
        "How Autotask's totals are read changed; {invoices_changed} amounts changed"
    ),
    "file.downloaded": _plain("File {file} downloaded"),
    "api_key.created": _plain("API key “{name}” made"),
    "api_key.revoked": _plain("API key “{name}” revoked"),
    "webhook.created": _plain("Webhook “{name}” added"),
    "webhook.changed": _plain("A webhook changed"),
    "webhook.paused": _plain("Webhook “{name}” paused"),
    "webhook.resumed": _plain("Webhook “{name}” switched on again"),
    "webhook.removed": _plain("Webhook “{name}” removed"),
    "webhook.secret_replaced": _plain("The secret of the webhook “{name}” replaced"),
    "user.added": _plain("{email} added as {role}"),
    "invitation.sent": _plain("{email} invited as {role}"),
    "invitation.sent_again": _plain("{email} invited once more, as {role}"),
    "invitation.revoked": _plain("Invitation of {email} revoked"),
    "invitation.accepted": _plain("{email} accepted the invitation and is {role} now"),
    "user.role_changed": _plain("{email} got another role"),
    "user.removed": _plain("{email} removed, who was {role}"),
    "user.disabled": _plain("{email} disabled everywhere by the portal's operator"),
    "user.enabled": _plain("{email} enabled again by the portal's operator"),
    "user.signed_out": _plain("{email} signed out everywhere by the portal's operator"),
    "partner.disabled": _plain("Partner disabled; {deliveries_owed} deliveries were owed to Autotask"),
    "partner.settings_changed": _plain("Company settings changed"),
    "partner.enabled": _plain("Partner enabled again"),
    "login.password_link": _plain("A link by which {name} chooses a new password was made by {by}"),
    "login.password_changed": _plain("{name} changed their password"),
    "login.factor_added": _plain("{name} added a second factor: {kind} “{factor}”"),
    "login.factor_removed": _plain("{name} removed a second factor: {kind} “{factor}”"),
    "login.recovery_codes_made": _plain("{name} made new recovery codes"),
    "login.recovery_code_used": _plain("{name} used a recovery code; {left} are left"),
    "login.codes_refused": _plain("Somebody with the right password of {name} typed several wrong codes"),
    "partner.logo_changed": _plain("Logo changed"),
    "partner.logo_removed": _plain("Logo taken away"),
    "login.factors_lost": _plain("{name} has lost their second factors, and asks to have them taken away"),
    "login.factors_agreed": _plain("{by} made sure that it is {name} who has lost the second factors: {how}"),
    "login.factors_to_go": _plain(
        "The second factors of {name} are to go in a day: everybody who has to agreed"
    ),
    "login.factors_kept": _plain("The second factors of {name} stay: the request was ended by {by}"),
    "login.factors_reset": _plain("The second factors of {name} were taken away: {reason}"),
    "login.email_changed": _plain("{name} has another e-mail address"),
    "login.signed_out_everywhere": _plain("{name} was logged out everywhere"),
    "partner.created": _plain("Partner {name} created"),
    "partner.time_zone_changed": _plain("Time zone changed"),
    "support_consent.given": _plain("Support access to act granted, for a time"),
    "support_consent.taken_back": _plain("Support access to act revoked"),
    "support_visit.started": _visit("began"),
    "support_visit.stopped": _visit("ended"),
}
