"""The JSON API as an OpenAPI 3.1 document. A test holds it against the routes."""

from typing import Any

from portal.models import InvoiceStatus
from portal.web.api_schemas import EXTERNAL_ID, ID, SCHEMAS, TEXT, a_sent_object, ref


def _answer(schema: dict[str, Any], words: str) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _problem(words: str) -> dict[str, Any]:
    return {"description": words, "content": {"application/problem+json": {"schema": ref("Problem")}}}


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
            "200": _answer(ref(whole), f"The {noun} is as it was sent."),
            "201": _answer(ref(whole), f"The {noun} was made."),
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
        requestBody=_sent(ref(f"Given{name}")),
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
            "200": _answer(ref("ImportAnswer"), "A result for each, in their order."),
            "422": _problem("No such list."),
        },
        requestBody=_sent(
            a_sent_object({"data": {"type": "array", "minItems": 1, "maxItems": 500, "items": row}}, ["data"])
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
            "Customers by id", {"200": _answer(ref("Customers"), "A page.")}, parameters=[*PAGING, BY_NAME]),
            "put": _batch("customers", "GivenCustomer")},
        "/customers/{customer_id}": {
            "get": _operation(
                "One customer", {"200": _answer(ref("Customer"), "The customer."), "404": GONE}),
            "put": _put("customer", "Customer"),
        },
        "/customers/{customer_id}/statement": {"get": _operation(
            "A customer's statement: what is open, or a period from its opening to its closing balance",
            {"200": _answer(ref("Statement"), "The sums of each currency, and a page of lines."), "404": GONE},
            parameters=[*SPAN, *PAGING])},
        "/customers/{customer_id}/statement.pdf": {"get": _operation(
            "The same as a PDF, with the partner's name and logo",
            {"200": {"description": "The file.", "content": {"application/pdf": {"schema": {}}}}, "404": GONE,
             "422": _problem("It has more lines than a PDF holds; choose a shorter period.")},
            parameters=SPAN)},
        "/invoices": {"get": _operation(
            "Invoices by id", {"200": _answer(ref("Invoices"), "A page.")},
            parameters=[*PAGING, _query("status", "Only these.", {"enum": list(InvoiceStatus)}),
                        _query("customer_id", "Only this customer's.", ID), BY_NAME,
                        _query("number", "Only those with this number.", TEXT | {"minLength": 1})]),
            "put": _batch("invoices", "GivenInvoice")},
        "/invoices/{invoice_id}": {
            "get": _operation(
                "One invoice with its lines",
                {"200": _answer(ref("InvoiceWithLines"), "The invoice."), "404": GONE}),
            "put": _put("invoice", "Invoice"),
        },
        "/invoices/{invoice_id}/lines": {"get": _operation(
            "The lines of one invoice by id", {"200": _answer(ref("Lines"), "A page."), "404": GONE}, parameters=PAGING)},
        "/events": {"get": _operation(
            "What happened, in its order; ask again with next_cursor. Kept for 30 days, from the first key or webhook on",
            {"200": _answer(ref("Events"), "A page.")},
            parameters=[*PAGING, _query(
                "kind", "Only these kinds, parted by commas.", TEXT | {"minLength": 1, "examples": ["invoice.paid,payment.confirmed"]})])},
        "/payments": {
            "get": _operation("Payments by id", {"200": _answer(ref("Payments"), "A page.")}, parameters=PAGING),
            "post": _operation(
                "Record a payment",
                {"201": _answer(ref("Payment"), "Recorded; Idempotent-Replayed: true for a repeated key."),
                 "422": _problem("The body, or the payment, is refused; nothing was recorded.")},
                parameters=[KEY],
                requestBody={"required": True, "content": {"application/json": {"schema": ref("NewPayment")}}}),
        },
        "/payments/{payment_id}/events": {"post": _operation(
            "What became of a payment: it settled, failed, was refunded or charged back",
            {"201": _answer(ref("Payment"), "Recorded; Idempotent-Replayed: true for a repeated key."),
             "404": GONE,
             "409": _problem("It happened already, or nothing of the payment counts any more."),
             "422": _problem("It is refused, with the field and the reason; nothing was changed.")},
            parameters=[KEY], requestBody=_sent(ref("NewPaymentEvent")))},
        "/payments/{payment_id}": {
            "get": _operation("One payment", {"200": _answer(ref("Payment"), "The payment."), "404": GONE}),
            "delete": _operation(
                "Delete a payment, with a reason",
                {"200": _answer(ref("Payment"), "Deleted; Autotask is told."), "404": GONE,
                 "409": _problem("It was already deleted."), "422": _problem("The reason is missing.")},
                requestBody={"required": True, "content": {"application/json": {
                    "schema": a_sent_object({"reason": TEXT | {"minLength": 1, "maxLength": 500}}, ["reason"])}}}),
        },
    },
}  # fmt: skip

for _path, _item in DESCRIPTION["paths"].items():
    if "{" in _path:
        _name = _path.partition("{")[2].partition("}")[0]
        _item["parameters"] = [{"name": _name, "in": "path", "required": True, "schema": ID}]
