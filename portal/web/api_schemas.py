"""What the JSON API takes and gives, as JSON Schemas (draft 2020-12, as OpenAPI 3.1 has them)."""

from typing import Any

from portal.models import (
    MOST_INVOICES,
    EventKind,
    Happened,
    ImportResult,
    InvoiceStatus,
    PaymentMethod,
    PaymentState,
)

AMOUNT = {
    "type": "string",
    "pattern": r"^-?\d+(\.\d+)?$",
    "examples": ["1234.50"],
    "description": "Never a float.",
}
DAY = {"type": ["string", "null"], "format": "date"}
INSTANT = {"type": ["string", "null"], "format": "date-time"}
PAID = AMOUNT | {"pattern": r"^\d+(\.\d+)?$"}
ID = {"type": "integer", "format": "int64", "minimum": 1}
AUTOTASK_ID = {"type": ["integer", "null"], "format": "int64"}
TEXT = {"type": "string"}
ISO = TEXT | {"pattern": "^[A-Z]{3}$", "examples": ["USD"]}
CURSOR = {"type": ["string", "null"]}
EXTERNAL_ID = TEXT | {"minLength": 1, "maxLength": 100}
NAME = {"type": ["string", "null"], "description": "What the partner's own system calls it."}
ARRIVAL = {"enum": ["parked", "sending", "waiting", "confirmed", "not_needed"]}


def an_object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required or sorted(properties)}


def a_sent_object(properties: dict[str, Any], required: list[str], **more: Any) -> dict[str, Any]:
    """What is sent: a field that it does not have is refused."""
    return {**an_object(properties, required), "additionalProperties": False, **more}


def a_list(name: str) -> dict[str, Any]:
    return an_object({"data": {"type": "array", "items": ref(name)}, "next_cursor": CURSOR})


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


ALLOCATION = a_sent_object(
    {"invoice_id": ID, "autotask_id": ID, "amount": PAID},
    ["amount"],
    oneOf=[{"required": ["invoice_id"]}, {"required": ["autotask_id"]}],
    description="Name the invoice by invoice_id or by autotask_id, not by both.",
)
SCHEMAS = {
    "Customer": an_object({
        "id": ID, "autotask_id": AUTOTASK_ID, "external_id": NAME, "name": TEXT, "number": TEXT, "currency": TEXT,
        "active": {"type": "boolean"}, "outside_filters": {"type": "boolean"}, "missing_since": INSTANT,
        "archived": {"type": "boolean"},
    }),
    "Invoice": an_object({
        "id": ID, "autotask_id": AUTOTASK_ID, "external_id": NAME, "number": TEXT, "customer": TEXT,
        "customer_id": ID, "customer_autotask_id": AUTOTASK_ID, "customer_external_id": NAME, "issued_on": DAY, "due_on": DAY, "currency": TEXT,
        "amount_due": AMOUNT, "paid": AMOUNT,
        "pending": AMOUNT | {"description": "What of paid is still on its way."}, "credited": AMOUNT, "settled_in_autotask": AMOUNT,
        "outstanding": AMOUNT, "status": {"enum": list(InvoiceStatus)}, "paid_on": DAY, "autotask_paid_on": DAY,
        "autotask_read_at": INSTANT, "agreement": TEXT, "archived": {"type": "boolean"}, "missing_since": INSTANT,
    }),
    "InvoiceWithLines": {
        "allOf": [ref("Invoice"), an_object({
            "lines": {"type": "array", "items": ref("Line"), "maxItems": 500},
            "lines_next_cursor": CURSOR | {"description": "Where there are more: cursor of their own list."}})]
    },
    "Line": an_object({
        "autotask_id": AUTOTASK_ID, "name": TEXT, "description": TEXT, "quantity": TEXT, "rate": TEXT, "price": TEXT,
        "tax": TEXT, "total": TEXT, "amount": AMOUNT, "date": DAY,
    }),
    "GivenCustomer": a_sent_object(
        {
            "name": TEXT | {"minLength": 1, "maxLength": 100}, "currency": ISO,
            "number": TEXT | {"maxLength": 100}, "active": {"type": "boolean", "default": True},
            "phone": TEXT | {"maxLength": 100}, "address": TEXT | {"maxLength": 500}, "tax_exempt": {"type": "boolean", "default": False},
        },
        required=["name", "currency"],
    ),
    "GivenInvoice": a_sent_object(
        {
            "customer": EXTERNAL_ID | {"description": "The customer's external_id."},
            "number": TEXT | {"minLength": 1, "maxLength": 100}, "currency": ISO,
            "issued_on": {"type": "string", "format": "date"}, "due_on": DAY,
            "lines": {"type": "array", "minItems": 1, "maxItems": 500, "items": a_sent_object(
                {"name": TEXT | {"minLength": 1, "maxLength": 500}, "amount": AMOUNT | {"description": "Without tax."},
                 "tax": AMOUNT, "quantity": AMOUNT, "rate": AMOUNT, "description": TEXT | {"maxLength": 4000}, "date": DAY}, required=["name", "amount"])},
            "total": AMOUNT | {"description": "With tax. Needed without lines; with lines it must be what they make."},
            "tax": AMOUNT, "order_number": TEXT | {"maxLength": 100}, "comments": TEXT | {"maxLength": 4000},
            "voided": {"type": "boolean", "default": False},
        },
        required=["customer", "number", "currency", "issued_on"],
        anyOf=[{"required": ["lines"]}, {"required": ["total"]}],
    ),
    "ImportAnswer": an_object({
        "import_id": ID,
        "data": {"type": "array", "items": an_object({
            "external_id": TEXT, "result": {"enum": list(ImportResult)}, "id": AUTOTASK_ID,
            "errors": {"type": "array", "items": an_object({"pointer": TEXT, "detail": TEXT})},
        })},
    }),
    "Payment": an_object({
        "id": ID, "customer": TEXT, "customer_id": ID, "customer_autotask_id": AUTOTASK_ID, "amount": AMOUNT,
        "currency": TEXT, "method": {"enum": list(PaymentMethod)}, "paid_on": DAY, "reference": TEXT, "note": TEXT,
        "state": {"enum": list(PaymentState)}, "recorded_amount": AMOUNT | {"description": "Before refunds."},
        "settled_on": DAY, "events": {"type": "array", "items": ref("PaymentEvent")}, "recorded_at": INSTANT, "deleted_at": INSTANT,
        "deleted_reason": {"type": ["string", "null"]}, "in_autotask": ARRIVAL,
        "possible_duplicate_of": AUTOTASK_ID | {
            "description": "An earlier payment of the same customer, amount, currency and day that is not deleted: "
            "perhaps the same money, recorded twice."},
        "allocations": {"type": "array", "items": an_object({
            "invoice_id": ID, "autotask_id": AUTOTASK_ID, "number": TEXT, "amount": AMOUNT, "in_autotask": ARRIVAL,
        })},
    }),
    "PaymentEvent": an_object({
        "kind": {"enum": list(Happened)}, "on": DAY, "amount": AMOUNT, "reason": TEXT, "recorded_at": INSTANT,
        "allocations": {"type": "array", "items": an_object({"invoice_id": ID, "amount": AMOUNT})},
    }),
    "NewPaymentEvent": a_sent_object(
        {
            "kind": {"enum": list(Happened)},
            "on": {"type": "string", "format": "date", "description": "From paid_on to today in the partner's zone."},
            "amount": PAID | {"description": "Of a refund or charge-back: what came back, if not all that still counts."},
            "reason": TEXT | {"maxLength": 500},
            "allocations": {
                "type": "array", "minItems": 1, "maxItems": MOST_INVOICES, "items": ALLOCATION,
                "description": "Which invoices are open again by how much; without it the newest allocation first."},
        },
        required=["kind", "on"],
    ),
    "NewPayment": a_sent_object(
        {
            "allocations": {"type": "array", "minItems": 1, "maxItems": MOST_INVOICES, "items": ALLOCATION},
            "paid_on": {"type": "string", "format": "date", "description": "Never after today in the partner's zone."},
            "confirm_old_date": {
                "type": "boolean", "default": False,
                "description": "Send true for a paid_on more than a year ago; without it such a payment is refused."},
            "method": {"enum": list(PaymentMethod), "default": "other"},
            "pending": {
                "type": "boolean", "default": False,
                "description": "The money is still on its way: the invoice counts as paid here, and Autotask hears of it as "
                "the partner's settings say. Send what became of it to /payments/{payment_id}/events."},
            "reference": TEXT | {"maxLength": 500},
            "note": TEXT | {"maxLength": 500},
        },
        required=["allocations", "paid_on"],
    ),
    "Event": an_object({
        "id": TEXT | {"description": "The same as the webhook-id of its messages."}, "type": {"enum": list(EventKind)},
        "timestamp": {"type": "string", "format": "date-time"},
        "data": {"type": "object", "description": "The record as it was then: invoice, payment, exception or "
                 "integration; of invoice.changed also before, with the values that were replaced."},
    }),
    "Events": an_object({
        "data": {"type": "array", "items": ref("Event")},
        "next_cursor": TEXT | {"description": "The cursor to ask with next time, also where nothing is new."},
        "has_more": {"type": "boolean"},
    }),
    "Statement": an_object({
        "customer_id": ID, "customer": TEXT, "from": DAY, "until": DAY, "as_of": DAY,
        "currencies": {"type": "array", "items": an_object(
            {"currency": TEXT, "lines": {"type": "integer"}, "closing": AMOUNT, "opening": AMOUNT, "invoiced": AMOUNT,
             "credited": AMOUNT, "paid": AMOUNT, "failed": AMOUNT, "refunded": AMOUNT,
             "charged_back": AMOUNT, "marked_as_paid": AMOUNT, "archived": AMOUNT, "owed": AMOUNT,
             "overdue": AMOUNT, "credit_left": AMOUNT}, required=["currency", "lines", "closing"])
            | {"description": "Of a period: opening and what happened make closing. Of what is open: owed less "
               "credit_left."}},
        "data": {"type": "array", "items": an_object(
            {"kind": {"enum": ["invoice", "credit", "payment", "failed", "refunded", "charged_back", "settled",
                      "archived", "open"]}, "day": DAY,
             "currency": TEXT, "invoice_id": AUTOTASK_ID, "payment_id": AUTOTASK_ID, "number": {"type": ["string", "null"]},
             "due_on": DAY, "amount": AMOUNT, "open": AMOUNT,
             "balance": AMOUNT | {"description": "What the lines of this currency up to this one add up to."},
             "method": {"type": ["string", "null"]}, "reference": {"type": ["string", "null"]}},
            required=["kind", "day", "currency", "amount", "balance"])},
        "next_cursor": {"type": ["string", "null"]},
    }),
    "Customers": a_list("Customer"),
    "Invoices": a_list("Invoice"),
    "Lines": a_list("Line"),
    "Payments": a_list("Payment"),
    "Problem": an_object(
        {
            "type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT, "reference": TEXT,
            "errors": {"type": "array", "items": an_object({"pointer": TEXT, "detail": TEXT})},
        },
        required=["type", "title", "status", "detail"],
    ),
}  # fmt: skip
