"""Was anything lost, done twice or left wrong? Pure: from the evidence to sentences, none when all is well."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from storm.checkouts import Request
from storm.evidence import Evidence

# Why a delivery may be waiting for a person after a storm of outages: none of these is a refusal.
STORM_CAUSED = {"unavailable", "unknown", "throttled"}
MOST_AT_ONCE = 3
MAY_WRITE = {"id", "paidDate"}


def judge(evidence: Evidence) -> list[str]:
    """One sentence for each violation."""
    checks = (requests, payments, invoices, deliveries, money, audit, calls)
    return [sentence for check in checks for sentence in check(evidence)]


def requests(evidence: Evidence) -> Iterator[str]:
    """Every accepted answer has exactly one payment, every refused one none; every request has an answer."""
    found = evidence.by_reference()
    for request in evidence.requests:
        count, wanted = found[request.key], 1 if request.accepted else 0
        if request.status == 0 or request.status >= 500:
            yield f"{request.key} never got an answer ({request.tries} tries); it has {count} payments."
        elif count != wanted:
            yield f"{request.key} was answered with {request.status} and has {count} payments, not {wanted}."
        if request.deletion and request.deletion.status not in (200, 409):
            yield f"The deletion of {request.key} ended with {request.deletion.status}."


def payments(evidence: Evidence) -> Iterator[str]:
    """No payment without a request; each is what was asked for, deleted if and only if that was asked."""
    asked = {request.key: request for request in evidence.requests}
    for row in evidence.payments:
        request = asked.get(row.reference)
        if request is None:
            yield f"Payment {row.id} was never asked for (reference {row.reference!r})."
            continue
        if (row.invoices, row.amount, row.allocated) != ([request.invoice], request.amount, request.amount):
            yield f"Payment {row.id} is not what {request.key} asked for: {row.amount} on {row.invoices}."
        if request.payment_id is not None and request.payment_id != row.id:
            yield f"{request.key} was told payment {request.payment_id}, the portal holds {row.id}."
        if row.deleted != bool(request.deletion and request.deletion.accepted):
            yield f"Payment {row.id} is {'' if row.deleted else 'not '}deleted, against its checkout's word."


def invoices(evidence: Evidence) -> Iterator[str]:
    """Autotask shows what the accepted payments make of each invoice: asked of its API, not of the portal."""
    live = living(evidence)
    for invoice, total in evidence.totals.items():
        wanted, shown = wish(live[invoice], total), evidence.shown.get(invoice)
        if shown != wanted:
            yield f"Autotask shows invoice {invoice} as {said(shown)}; its payments make it {said(wanted)}."


def deliveries(evidence: Evidence) -> Iterator[str]:
    """Every delivery is confirmed, or waits for a reason that the storm itself caused."""
    if not evidence.quiet:
        yield "The portal did not come to rest in time."
    for held in evidence.invoices.values():
        parked = held.state == "parked" and held.error_kind in STORM_CAUSED
        if held.state is not None and not parked and (held.state, held.done) != ("confirmed", True):
            yield f"The delivery of invoice {held.autotask_id} is {held.state}: {held.error or 'no reason'}"
        if held.state == "confirmed" and held.agreement != "agrees":
            yield f"Invoice {held.autotask_id} is confirmed and yet said to be “{held.agreement}”."


def money(evidence: Evidence) -> Iterator[str]:
    """What the portal says is paid is the sum of what was accepted, added up from the checkouts' answers."""
    live = living(evidence)
    for invoice in evidence.totals:
        accepted = sum((request.amount for request in live[invoice]), Decimal(0))
        held = evidence.invoices.get(invoice)
        if held is None or held.paid_amount != accepted:
            yield f"Invoice {invoice}: {accepted} was accepted, the portal counts {held and held.paid_amount}."


def audit(evidence: Evidence) -> Iterator[str]:
    """The chain verifies, and each payment and deletion has one event."""
    if evidence.audit_break is not None:
        yield f"The audit chain breaks at event {evidence.audit_break}."
    for row in evidence.payments:
        for event, wanted in (("payment.recorded", 1), ("payment.deleted", int(row.deleted))):
            count = evidence.events.get((event, row.id), 0)
            if count != wanted:
                yield f"Payment {row.id} has {count} events {event}, not {wanted}."


def calls(evidence: Evidence) -> Iterator[str]:
    """At most three calls at once, and no write but the paid date by PATCH."""
    for endpoint, most in evidence.most_at_once.items():
        if most > MOST_AT_ONCE:
            yield f"{most} calls at a time went to {endpoint}, {MOST_AT_ONCE} are allowed."
    for write in evidence.writes:
        fields = set(json.loads(write["body"] or "{}"))
        if (write["entity"], write["verb"]) != ("Invoices", "patch") or not fields <= MAY_WRITE:
            yield f"A forbidden write went to Autotask: {write['method']} {write['path']} {write['body']}"


def living(evidence: Evidence) -> defaultdict[int, list[Request]]:
    """The accepted payments that were not deleted, by invoice."""
    found: defaultdict[int, list[Request]] = defaultdict(list)
    for request in evidence.requests:
        if request.accepted and not (request.deletion and request.deletion.accepted):
            found[request.invoice].append(request)
    return found


def wish(live: list[Request], total: Decimal) -> date | None:
    """Paid on the day of the last payment once all is paid (rule 5.5)."""
    covered = sum(request.amount for request in live) >= total
    return max(request.paid_on for request in live) if live and covered else None


def said(paid_on: date | None) -> str:
    return f"paid on {paid_on}" if paid_on else "unpaid"
