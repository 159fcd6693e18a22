"""The judge of bin/storm sees what it is there to see: each violation, put into a record where all was well."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from storm.checkouts import Deletion, Request
from storm.evidence import Evidence, Held, Row
from storm.judge import judge

DAY = date(2026, 11, 19)
HUNDRED = Decimal(100)


def well() -> Evidence:
    """Invoice 1 was paid in two parts, invoice 2 paid and taken back, a request for it refused."""
    requests = [
        Request("a-1", 1, Decimal(50), DAY.replace(day=3), 201, 1, 11),
        Request("a-2", 1, Decimal(50), DAY, 201, 3, 12),
        Request("b-1", 2, HUNDRED, DAY, 201, 1, 13, Deletion(409, 2)),
        Request("b-2", 2, HUNDRED * 2, DAY, 422, 1),
    ]
    rows = [
        Row(11, "a-1", Decimal(50), False, [1], Decimal(50)),
        Row(12, "a-2", Decimal(50), False, [1], Decimal(50)),
        Row(13, "b-1", HUNDRED, True, [2], HUNDRED),
    ]
    confirmed = Held(1, HUNDRED, "agrees", "confirmed", None, None, True)
    recorded = {("payment.recorded", row.id): 1 for row in rows}
    return Evidence(
        totals={1: HUNDRED, 2: HUNDRED},
        requests=requests,
        payments=rows,
        invoices={1: confirmed, 2: replace(confirmed, autotask_id=2, paid_amount=Decimal(0))},
        events=recorded | {("payment.deleted", 13): 1},
        shown={1: DAY, 2: None},
        writes=[patch('{"id": 1, "paidDate": "2026-11-19T00:00:00"}')],
        most_at_once={"Invoices": 3},
    )


def patch(body: str, verb: str = "patch") -> dict[str, str]:
    return {"entity": "Invoices", "verb": verb, "method": verb.upper(), "path": "/Invoices", "body": body}


def test_nothing_is_said_where_all_is_well():
    assert judge(well()) == []


def duplicate(record: Evidence) -> None:
    record.payments.append(Row(14, "a-1", Decimal(50), False, [1], Decimal(50)))


def lost(record: Evidence) -> None:
    del record.payments[1]


def silent(record: Evidence) -> None:
    record.requests[3].status = 0


def refused_and_kept(record: Evidence) -> None:
    record.payments.append(Row(14, "b-2", HUNDRED * 2, False, [2], HUNDRED * 2))


def out_of_nowhere(record: Evidence) -> None:
    record.payments.append(Row(15, "", HUNDRED, False, [2], HUNDRED))


def other_amount(record: Evidence) -> None:
    record.payments[0] = replace(record.payments[0], amount=Decimal("50.01"))


def other_answer(record: Evidence) -> None:
    record.requests[0].payment_id = 99


def not_deleted(record: Evidence) -> None:
    record.payments[2] = replace(record.payments[2], deleted=False)


def deleted_unasked(record: Evidence) -> None:
    record.requests[2].deletion = None


def disagreeing(record: Evidence) -> None:
    record.shown[1] = None


def other_day(record: Evidence) -> None:
    record.shown[1] = DAY.replace(day=3)


def not_cleared(record: Evidence) -> None:
    record.shown[2] = DAY


def stuck(record: Evidence) -> None:
    record.invoices[1] = replace(record.invoices[1], state="sending")


def refused_delivery(record: Evidence) -> None:
    record.invoices[1] = replace(record.invoices[1], state="parked", error_kind="rejected", error="No.")


def older_wish(record: Evidence) -> None:
    record.invoices[1] = replace(record.invoices[1], done=False)


def wrong_badge(record: Evidence) -> None:
    record.invoices[1] = replace(record.invoices[1], agreement="differs")


def drift(record: Evidence) -> None:
    record.invoices[1] = replace(record.invoices[1], paid_amount=Decimal("99.99"))


def broken_chain(record: Evidence) -> None:
    record.audit_break = 4


def no_event(record: Evidence) -> None:
    del record.events["payment.deleted", 13]


def fourth_call(record: Evidence) -> None:
    record.most_at_once["Invoices"] = 4


def other_field(record: Evidence) -> None:
    record.writes.append(patch('{"id": 1, "paidDate": null, "comments": ""}'))


def put(record: Evidence) -> None:
    record.writes.append(patch('{"id": 1}', "put"))


def restless(record: Evidence) -> None:
    record.quiet = False


@pytest.mark.parametrize(
    ("doctor", "sentence"),
    [
        (duplicate, "a-1 was answered with 201 and has 2 payments, not 1."),
        (lost, "a-2 was answered with 201 and has 0 payments, not 1."),
        (silent, "b-2 never got an answer (1 tries); it has 0 payments."),
        (refused_and_kept, "b-2 was answered with 422 and has 1 payments, not 0."),
        (out_of_nowhere, "Payment 15 was never asked for (reference '')."),
        (other_amount, "Payment 11 is not what a-1 asked for: 50.01 on [1]."),
        (other_answer, "a-1 was told payment 99, the portal holds 11."),
        (not_deleted, "Payment 13 is not deleted, against its checkout's word."),
        (deleted_unasked, "Payment 13 is deleted, against its checkout's word."),
        (disagreeing, "Autotask shows invoice 1 as unpaid; its payments make it paid on 2026-11-19."),
        (
            other_day,
            "Autotask shows invoice 1 as paid on 2026-11-03; its payments make it paid on 2026-11-19.",
        ),
        (not_cleared, "Autotask shows invoice 2 as paid on 2026-11-19; its payments make it unpaid."),
        (stuck, "The delivery of invoice 1 is sending: no reason"),
        (refused_delivery, "The delivery of invoice 1 is parked: No."),
        (older_wish, "The delivery of invoice 1 is confirmed: no reason"),
        (wrong_badge, "Invoice 1 is confirmed and yet said to be “differs”."),
        (drift, "Invoice 1: 100 was accepted, the portal counts 99.99."),
        (broken_chain, "The audit chain breaks at event 4."),
        (no_event, "Payment 13 has 0 events payment.deleted, not 1."),
        (fourth_call, "4 calls at a time went to Invoices, 3 are allowed."),
        (other_field, "A forbidden write went to Autotask: PATCH /Invoices"),
        (put, "A forbidden write went to Autotask: PUT /Invoices"),
        (restless, "The portal did not come to rest in time."),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_each_violation_is_told_in_plain_words(doctor: Callable[[Evidence], None], sentence: str):
    record = deepcopy(well())
    doctor(record)
    assert any(said.startswith(sentence) for said in judge(record)), judge(record)


def test_a_delivery_that_waits_because_autotask_was_away_is_no_violation():
    record = well()
    record.invoices[1] = replace(record.invoices[1], state="parked", error_kind="unavailable")
    assert judge(record) == []
