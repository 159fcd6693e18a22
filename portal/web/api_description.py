"""The JSON API as an OpenAPI 3.1 document. A test holds it against the routes."""

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


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required or sorted(properties)}


def _sent_object(properties: dict[str, Any], required: list[str], **more: Any) -> dict[str, Any]:
    """What is sent: a field that it does not have is refused."""
    return {**_object(properties, required), "additionalProperties": False, **more}


def _list(name: str) -> dict[str, Any]:
    return _object({"data": {"type": "array", "items": _ref(name)}, "next_cursor": CURSOR})


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(schema: dict[str, Any], words: str) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _problem(words: str) -> dict[str, Any]:
    return {"description": words, "content": {"application/problem+json": {"schema": _ref("Problem")}}}


PROBLEMS = {
    "400": _problem(
        "A parameter of the address, a header or the body cannot be read; the sentence says which."
    ),
    "401": _problem("No key, or one that is not valid any more."),
    "403": _problem("The key does not hold the scope, or may not read what another key recorded."),
    "429": _problem("More than 600 requests in a minute; Retry-After says when to go on."),
    "503": _problem("The database is away; nothing was changed, send it again."),
}
OF_BODIES = {
    "413": _problem("The body is larger than 8 MB."),
    "415": _problem("Send the body as application/json."),
}


def _operation(summary: str, answers: dict[str, Any], **more: Any) -> dict[str, Any]:
    told = answers | PROBLEMS | (OF_BODIES if "requestBody" in more else {})
    return {"summary": summary, "responses": dict(sorted(told.items())), **more}


def _query(name: str, words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": words, "schema": schema}


PAGING = [
    _query("limit", "Rows in the answer.", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
    _query("cursor", "next_cursor of the answer before.", TEXT | {"pattern": "^[0-9]{1,19}$"}),
]
BY_NAME = _query("external_id", "Only the one that your system calls so.", TEXT | {"minLength": 1})
SPAN = [
    _query(
        "from", "The first day; without it and until, what is open.", {"type": "string", "format": "date"}
    ),
    _query("until", "The last day; today where only from is sent.", {"type": "string", "format": "date"}),
]
GONE = _problem("There is no such row, or it is not this partner's.")


def _sent(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _put(noun: str, name: str) -> dict[str, Any]:
    whole = "InvoiceWithLines" if name == "Invoice" else name
    return _operation(
        f"Make or change the {noun} that your system calls so; its whole state is sent, so repeating changes nothing",
        {
            "200": _answer(_ref(whole), f"The {noun} is as it was sent."),
            "201": _answer(_ref(whole), f"The {noun} was made."),
            "404": _problem("This cannot be an external_id: 1 to 100 characters, no blanks around them."),
            "422": _problem("It is refused, with the field and the reason; nothing was changed."),
        },
        parameters=[
            {
                "name": f"{noun}_id",
                "in": "path",
                "required": True,
                "description": "The name that your system gave it, its external_id; not the portal's id.",
                "schema": EXTERNAL_ID,
            }
        ],
        requestBody=_sent(_ref(f"Given{name}")),
    )


def _batch(nouns: str, given: str) -> dict[str, Any]:
    row = SCHEMAS[given]
    row = row | {
        "properties": {"external_id": EXTERNAL_ID} | row["properties"],
        "required": ["external_id", *row["required"]],
    }
    return _operation(
        f"Make or change up to 500 {nouns}; each is taken or refused by itself",
        {
            "200": _answer(_ref("ImportAnswer"), "A result for each, in their order."),
            "422": _problem("No such list."),
        },
        requestBody=_sent(
            _sent_object({"data": {"type": "array", "minItems": 1, "maxItems": 500, "items": row}}, ["data"])
        ),
    )


KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "A value of your own for this payment, such as a UUID. For 30 days the same key and body give "
    "the first answer again; the same key with another body is refused.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}

ALLOCATION = _sent_object(
    {"invoice_id": ID, "autotask_id": ID, "amount": PAID},
    ["amount"],
    oneOf=[{"required": ["invoice_id"]}, {"required": ["autotask_id"]}],
    description="Name the invoice by invoice_id or by autotask_id, not by both.",
)
SCHEMAS = {
    "Customer": _object({
        "id": ID, "autotask_id": AUTOTASK_ID, "external_id": NAME, "name": TEXT, "number": TEXT, "currency": TEXT,
        "active": {"type": "boolean"}, "outside_filters": {"type": "boolean"}, "missing_since": INSTANT,
        "archived": {"type": "boolean"},
    }),
    "Invoice": _object({
        "id": ID, "autotask_id": AUTOTASK_ID, "external_id": NAME, "number": TEXT, "customer": TEXT,
        "customer_id": ID, "customer_autotask_id": AUTOTASK_ID, "customer_external_id": NAME, "issued_on": DAY, "due_on": DAY, "currency": TEXT,
        "amount_due": AMOUNT, "paid": AMOUNT,
        "pending": AMOUNT | {"description": "What of paid is still on its way."}, "credited": AMOUNT, "settled_in_autotask": AMOUNT,
        "outstanding": AMOUNT, "status": {"enum": list(InvoiceStatus)}, "paid_on": DAY, "autotask_paid_on": DAY,
        "autotask_read_at": INSTANT, "agreement": TEXT, "archived": {"type": "boolean"}, "missing_since": INSTANT,
    }),
    "InvoiceWithLines": {
        "allOf": [_ref("Invoice"), _object({
            "lines": {"type": "array", "items": _ref("Line"), "maxItems": 500},
            "lines_next_cursor": CURSOR | {"description": "Where there are more: cursor of their own list."}})]
    },
    "Line": _object({
        "autotask_id": AUTOTASK_ID, "name": TEXT, "description": TEXT, "quantity": TEXT, "rate": TEXT, "price": TEXT,
        "tax": TEXT, "total": TEXT, "amount": AMOUNT, "date": DAY,
    }),
    "GivenCustomer": _sent_object(
        {
            "name": TEXT | {"minLength": 1, "maxLength": 100}, "currency": ISO,
            "number": TEXT | {"maxLength": 100}, "active": {"type": "boolean", "default": True},
            "phone": TEXT | {"maxLength": 100}, "address": TEXT | {"maxLength": 500}, "tax_exempt": {"type": "boolean", "default": False},
        },
        required=["name", "currency"],
    ),
    "GivenInvoice": _sent_object(
        {
            "customer": EXTERNAL_ID | {"description": "The customer's external_id."},
            "number": TEXT | {"minLength": 1, "maxLength": 100}, "currency": ISO,
            "issued_on": {"type": "string", "format": "date"}, "due_on": DAY,
            "lines": {"type": "array", "minItems": 1, "maxItems": 500, "items": _sent_object(
                {"name": TEXT | {"minLength": 1, "maxLength": 500}, "amount": AMOUNT | {"description": "Without tax."},
                 "tax": AMOUNT, "quantity": AMOUNT, "rate": AMOUNT, "description": TEXT | {"maxLength": 4000}, "date": DAY}, required=["name", "amount"])},
            "total": AMOUNT | {"description": "With tax. Needed without lines; with lines it must be what they make."},
            "tax": AMOUNT, "order_number": TEXT | {"maxLength": 100}, "comments": TEXT | {"maxLength": 4000},
            "voided": {"type": "boolean", "default": False},
        },
        required=["customer", "number", "currency", "issued_on"],
        anyOf=[{"required": ["lines"]}, {"required": ["total"]}],
    ),
    "ImportAnswer": _object({
        "import_id": ID,
        "data": {"type": "array", "items": _object({
            "external_id": TEXT, "result": {"enum": list(ImportResult)}, "id": AUTOTASK_ID,
            "errors": {"type": "array", "items": _object({"pointer": TEXT, "detail": TEXT})},
        })},
    }),
    "Payment": _object({
        "id": ID, "customer": TEXT, "customer_id": ID, "customer_autotask_id": AUTOTASK_ID, "amount": AMOUNT,
        "currency": TEXT, "method": {"enum": list(PaymentMethod)}, "paid_on": DAY, "reference": TEXT, "note": TEXT,
        "state": {"enum": list(PaymentState)}, "recorded_amount": AMOUNT | {"description": "Before refunds."},
        "settled_on": DAY, "events": {"type": "array", "items": _ref("PaymentEvent")}, "recorded_at": INSTANT, "deleted_at": INSTANT,
        "deleted_reason": {"type": ["string", "null"]}, "in_autotask": ARRIVAL,
        "possible_duplicate_of": AUTOTASK_ID | {
            "description": "An earlier payment of the same customer, amount, currency and day that is not deleted: "
            "perhaps the same money, recorded twice."},
        "allocations": {"type": "array", "items": _object({
            "invoice_id": ID, "autotask_id": AUTOTASK_ID, "number": TEXT, "amount": AMOUNT, "in_autotask": ARRIVAL,
        })},
    }),
    "PaymentEvent": _object({
        "kind": {"enum": list(Happened)}, "on": DAY, "amount": AMOUNT, "reason": TEXT, "recorded_at": INSTANT,
        "allocations": {"type": "array", "items": _object({"invoice_id": ID, "amount": AMOUNT})},
    }),
    "NewPaymentEvent": _sent_object(
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
    "NewPayment": _sent_object(
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
    "Event": _object({
        "id": TEXT | {"description": "The same as the webhook-id of its messages."}, "type": {"enum": list(EventKind)},
        "timestamp": {"type": "string", "format": "date-time"},
        "data": {"type": "object", "description": "The record as it was then: invoice, payment, exception or "
                 "integration; of invoice.changed also before, with the values that were replaced."},
    }),
    "Events": _object({
        "data": {"type": "array", "items": _ref("Event")},
        "next_cursor": TEXT | {"description": "The cursor to ask with next time, also where nothing is new."},
        "has_more": {"type": "boolean"},
    }),
    "Statement": _object({
        "customer_id": ID, "customer": TEXT, "from": DAY, "until": DAY, "as_of": DAY,
        "currencies": {"type": "array", "items": _object(
            {"currency": TEXT, "lines": {"type": "integer"}, "closing": AMOUNT, "opening": AMOUNT, "invoiced": AMOUNT,
             "credited": AMOUNT, "paid": AMOUNT, "failed": AMOUNT, "refunded": AMOUNT,
             "charged_back": AMOUNT, "marked_as_paid": AMOUNT, "archived": AMOUNT, "owed": AMOUNT,
             "overdue": AMOUNT, "credit_left": AMOUNT}, required=["currency", "lines", "closing"])
            | {"description": "Of a period: opening and what happened make closing. Of what is open: owed less "
               "credit_left."}},
        "data": {"type": "array", "items": _object(
            {"kind": {"enum": ["invoice", "credit", "payment", "failed", "refunded", "charged_back", "settled",
                      "archived", "open"]}, "day": DAY,
             "currency": TEXT, "invoice_id": AUTOTASK_ID, "payment_id": AUTOTASK_ID, "number": {"type": ["string", "null"]},
             "due_on": DAY, "amount": AMOUNT, "open": AMOUNT,
             "balance": AMOUNT | {"description": "What the lines of this currency up to this one add up to."},
             "method": {"type": ["string", "null"]}, "reference": {"type": ["string", "null"]}},
            required=["kind", "day", "currency", "amount", "balance"])},
        "next_cursor": {"type": ["string", "null"]},
    }),
    "Customers": _list("Customer"),
    "Invoices": _list("Invoice"),
    "Lines": _list("Line"),
    "Payments": _list("Payment"),
    "Problem": _object(
        {
            "type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT, "reference": TEXT,
            "errors": {"type": "array", "items": _object({"pointer": TEXT, "detail": TEXT})},
        },
        required=["type", "title", "status", "detail"],
    ),
}  # fmt: skip

DESCRIPTION: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Partner portal API",
        "version": "1",
        "description": "For checkouts, processors and billing systems: read customers and invoices, record and delete "
        "payments and tell what became of them, bring in customers and invoices of your own system, take statements out. "
        "Autotask is told about a second after an invoice is paid in full; a part payment stays here. "
        "Send the key as a bearer token.",
    },
    "servers": [{"url": "/api/v1"}],
    "security": [{"key": []}],
    "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}, "schemas": SCHEMAS},
    "paths": {
        "/customers": {"get": _operation(
            "Customers by id", {"200": _answer(_ref("Customers"), "A page.")}, parameters=[*PAGING, BY_NAME]),
            "put": _batch("customers", "GivenCustomer")},
        "/customers/{customer_id}": {
            "get": _operation(
                "One customer", {"200": _answer(_ref("Customer"), "The customer."), "404": GONE}),
            "put": _put("customer", "Customer"),
        },
        "/customers/{customer_id}/statement": {"get": _operation(
            "A customer's statement: what is open, or a period from its opening to its closing balance",
            {"200": _answer(_ref("Statement"), "The sums of each currency, and a page of lines."), "404": GONE},
            parameters=[*SPAN, *PAGING])},
        "/customers/{customer_id}/statement.pdf": {"get": _operation(
            "The same as a PDF, with the partner's name and logo",
            {"200": {"description": "The file.", "content": {"application/pdf": {"schema": {}}}}, "404": GONE,
             "422": _problem("It has more lines than a PDF holds; choose a shorter period.")},
            parameters=SPAN)},
        "/invoices": {"get": _operation(
            "Invoices by id", {"200": _answer(_ref("Invoices"), "A page.")},
            parameters=[*PAGING, _query("status", "Only these.", {"enum": list(InvoiceStatus)}),
                        _query("customer_id", "Only this customer's.", ID), BY_NAME,
                        _query("number", "Only those with this number.", TEXT | {"minLength": 1})]),
            "put": _batch("invoices", "GivenInvoice")},
        "/invoices/{invoice_id}": {
            "get": _operation(
                "One invoice with its lines",
                {"200": _answer(_ref("InvoiceWithLines"), "The invoice."), "404": GONE}),
            "put": _put("invoice", "Invoice"),
        },
        "/invoices/{invoice_id}/lines": {"get": _operation(
            "The lines of one invoice by id", {"200": _answer(_ref("Lines"), "A page."), "404": GONE}, parameters=PAGING)},
        "/events": {"get": _operation(
            "What happened, in its order; ask again with next_cursor. Kept for 30 days, from the first key or webhook on",
            {"200": _answer(_ref("Events"), "A page.")},
            parameters=[*PAGING, _query(
                "kind", "Only these kinds, parted by commas.", TEXT | {"minLength": 1, "examples": ["invoice.paid,payment.confirmed"]})])},
        "/payments": {
            "get": _operation("Payments by id", {"200": _answer(_ref("Payments"), "A page.")}, parameters=PAGING),
            "post": _operation(
                "Record a payment",
                {"201": _answer(_ref("Payment"), "Recorded; Idempotent-Replayed: true for a repeated key."),
                 "422": _problem("The body, or the payment, is refused; nothing was recorded.")},
                parameters=[KEY],
                requestBody={"required": True, "content": {"application/json": {"schema": _ref("NewPayment")}}}),
        },
        "/payments/{payment_id}/events": {"post": _operation(
            "What became of a payment: it settled, failed, was refunded or charged back",
            {"201": _answer(_ref("Payment"), "Recorded; Idempotent-Replayed: true for a repeated key."),
             "404": GONE,
             "409": _problem("It happened already, or nothing of the payment counts any more."),
             "422": _problem("It is refused, with the field and the reason; nothing was changed.")},
            parameters=[KEY], requestBody=_sent(_ref("NewPaymentEvent")))},
        "/payments/{payment_id}": {
            "get": _operation("One payment", {"200": _answer(_ref("Payment"), "The payment."), "404": GONE}),
            "delete": _operation(
                "Delete a payment, with a reason",
                {"200": _answer(_ref("Payment"), "Deleted; Autotask is told."), "404": GONE,
                 "409": _problem("It was already deleted."), "422": _problem("The reason is missing.")},
                requestBody={"required": True, "content": {"application/json": {
                    "schema": _sent_object({"reason": TEXT | {"minLength": 1, "maxLength": 500}}, ["reason"])}}}),
        },
    },
}  # fmt: skip

for _path, _item in DESCRIPTION["paths"].items():
    if "{" in _path:
        _name = _path.partition("{")[2].partition("}")[0]
        _item["parameters"] = [{"name": _name, "in": "path", "required": True, "schema": ID}]
