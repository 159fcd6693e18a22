"""Every kind of answer as the error that fits, with one plain sentence each."""

from datetime import UTC, datetime

import pytest
import time_machine

from portal.autotask.answers import retry_after, understood
from portal.autotask.errors import (
    Forbidden,
    Misshapen,
    NotFound,
    Permanent,
    Rejected,
    Retryable,
    Throttled,
    Unauthorized,
    Unavailable,
    UnknownUser,
    Untrusted,
)
from portal.autotask.transport import Answer
from tests.autotask.conftest import V1

JSON = "application/json; charset=utf-8"
PAGE = b"<!DOCTYPE html><html><body>hello</body></html>"
KEY = "Autotask did not accept the key or secret."
GONE = "Autotask is not available at the moment."
CUT = "Autotask's answer was cut off or damaged."
EMPTY = "Autotask sent an empty answer."
WEB = "Autotask answered with a web page instead of data; it may be under maintenance."
LIMIT = "Autotask limits requests at the moment. The portal goes on by itself later."
READ = "The Autotask user has no right to read Invoices."
THREADS = "The thread threshold of 3 threads has been exceeded. Itgenatr005"
OVER = "You have exceeded the external request threshold"


def errors(*texts: object) -> bytes:
    listed = ",".join(f'"{text}"' for text in texts)
    return f'{{"errors":[{listed}]}}'.encode()


def read(status: int, body: bytes = b"", kind: str = JSON, wait: str = "", *, write: bool = False) -> object:
    return understood(Answer(status, kind, wait, body), "Invoices", write=write)


TABLE = [
    # status, body, content type, error, sentence
    (401, b"", "", Unauthorized, KEY),
    (401, PAGE, "text/html", Unauthorized, KEY),
    (401, errors("The user is locked"), JSON, Unauthorized, KEY),
    (500, errors("Invalid credentials"), JSON, Unauthorized, KEY),
    (500, errors("Login failed for user"), JSON, Unauthorized, KEY),
    (500, errors("Unauthorized"), JSON, Unauthorized, KEY),
    (
        500,
        errors("IntegrationCode is invalid."),
        JSON,
        Unauthorized,
        "Autotask did not accept the integration code of this portal.",
    ),
    (403, b"", "", Forbidden, READ),
    (403, PAGE, "text/html", Forbidden, READ),
    (500, errors("The logged in Resource does not have the adequate permissions"), JSON, Forbidden, READ),
    (500, errors("You are not authorized to query Invoices"), JSON, Forbidden, READ),
    (
        500,
        errors("Zone information could not be determined"),
        JSON,
        UnknownUser,
        "Autotask does not know this user name.",
    ),
    (404, b"", "", NotFound, "Autotask has no such record in Invoices."),
    (404, b"{}", JSON, NotFound, "Autotask has no such record in Invoices."),
    (404, errors("not there"), JSON, NotFound, "Autotask has no such record in Invoices."),
    (500, errors("No matching records found"), JSON, NotFound, "Autotask has no such record in Invoices."),
    (404, PAGE, "text/html", Rejected, "Autotask does not offer Invoices at this address."),
    (
        405,
        b'{"Message":"The requested resource does not support http method \'GET\'."}',
        JSON,
        Rejected,
        "Autotask refused: The requested resource does not support http method 'GET'.",
    ),
    (405, b"", "", Rejected, "Autotask refused this without a reason (code 405)."),
    (400, b"", "", Rejected, "Autotask refused this without a reason (code 400)."),
    (409, b"", "", Rejected, "Autotask refused this without a reason (code 409)."),
    (409, errors("changed meanwhile"), JSON, Rejected, "Autotask refused: changed meanwhile"),
    (
        500,
        errors("Picklist value [99] does not exist for priority."),
        JSON,
        Rejected,
        "Autotask refused: Picklist value [99] does not exist for priority.",
    ),
    (500, b'{"Errors":["No"]}', JSON, Rejected, "Autotask refused: No"),
    (500, b'{"errors":"No"}', JSON, Rejected, "Autotask refused: No"),
    (500, b'{"errors":[{"message":"No"}]}', JSON, Rejected, "Autotask refused: No"),
    (500, b'\xef\xbb\xbf{"errors":["No"]}', JSON, Rejected, "Autotask refused: No"),
    (200, errors("Field is required"), JSON, Rejected, "Autotask refused: Field is required"),
    (
        500,
        errors("Transaction was deadlocked on lock resources"),
        JSON,
        Unavailable,
        "Autotask could not finish this at the moment.",
    ),
    (500, b"", "", Unavailable, GONE),
    (500, PAGE, "text/html", Unavailable, GONE),
    (500, b'{"errors":[]}', JSON, Unavailable, GONE),
    (500, b'{"errors":["cut o', JSON, Unavailable, GONE),
    (501, b"", "", Unavailable, GONE),
    (502, PAGE, "text/html", Unavailable, GONE),
    (503, b"", "", Unavailable, GONE),
    (503, errors("Service unavailable"), JSON, Unavailable, GONE),
    (504, b"", "", Unavailable, GONE),
    (408, b"", "", Unavailable, GONE),
    (429, b"", "", Throttled, LIMIT),
    (429, PAGE, "text/html", Throttled, LIMIT),
    (500, errors(THREADS), JSON, Throttled, LIMIT),
    (403, errors(THREADS), JSON, Throttled, LIMIT),
    (401, errors(THREADS), JSON, Throttled, LIMIT),
    (200, errors(THREADS), JSON, Throttled, LIMIT),
    (503, THREADS.encode(), "text/plain", Throttled, LIMIT),
    (500, errors(OVER), JSON, Throttled, LIMIT),
    (301, b"", "", Untrusted, "Autotask sent the portal to another address, which it does not follow."),
    (200, PAGE, "text/html", Misshapen, WEB),
    (200, PAGE, JSON, Misshapen, WEB),
    (200, b"", JSON, Misshapen, EMPTY),
    (204, b"", "", Misshapen, EMPTY),
    (200, b" \r\n ", JSON, Misshapen, EMPTY),
    (200, b"null", JSON, Misshapen, EMPTY),
    (200, b"[]", JSON, Misshapen, EMPTY),
    (200, b'"text"', JSON, Misshapen, EMPTY),
    (200, b"7", JSON, Misshapen, EMPTY),
    (200, b'{"items":[{"id":1},{"id"', JSON, Unavailable, CUT),
    (200, b'{"items":[]} trailing', JSON, Unavailable, CUT),
    (200, b"\x00\x01\x02", JSON, Unavailable, CUT),
    (200, b"[" * 1_000_000, JSON, Permanent, "Autotask's answer cannot be read."),
]


@pytest.mark.parametrize(("status", "body", "kind", "error", "sentence"), TABLE)
def test_each_answer_has_its_error_and_its_sentence(status, body, kind, error, sentence):
    with pytest.raises(error) as caught:
        read(status, body, kind)
    assert type(caught.value) is error
    assert str(caught.value) == sentence
    assert caught.value.status == status


@pytest.mark.parametrize(("status", "body", "kind", "error", "sentence"), TABLE)
def test_a_write_is_only_unknown_when_autotask_did_not_say_what_it_did(status, body, kind, error, sentence):
    with pytest.raises((Retryable, Permanent)) as caught:
        read(status, body, kind, write=True)
    unknown = isinstance(caught.value, Unavailable)
    assert unknown == (issubclass(error, Unavailable) or error is Permanent)
    assert not unknown or caught.value.maybe_applied


def test_a_refused_write_says_that_the_right_to_change_is_missing():
    with pytest.raises(Forbidden, match="no right to change Invoices"):
        read(403, write=True)


def test_a_message_in_a_good_answer_is_no_error():
    assert read(200, b'{"message":"hello","errors":[],"items":[]}') == {
        "message": "hello",
        "errors": [],
        "items": [],
    }


def test_the_words_of_autotask_are_kept():
    with pytest.raises(Rejected) as caught:
        read(500, errors("First.", "Second."))
    assert caught.value.texts == ["First.", "Second."]


def test_endless_and_unprintable_words_are_cut():
    with pytest.raises(Rejected) as caught:
        read(500, errors(*["x" * 100_000] * 100, "a\\u0000b\\u202e"))
    assert len(caught.value.texts) == 20
    assert max(map(len, caught.value.texts)) == 500
    assert len(str(caught.value)) < 400


def test_a_text_about_a_field_that_exceeds_its_length_is_no_rate_limit():
    with pytest.raises(Rejected):
        read(500, errors("The value exceeded the maximum length for field invoiceNumber"))


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":1}',
        b'\xef\xbb\xbf{"id":1}',
        '{"id":1}'.encode("utf-16"),
        '{"id":1}'.encode("utf-16-le"),
        '{"id":1}'.encode("utf-32"),
        b'  {"id":1}\r\n',
    ],
)
def test_marks_and_encodings_before_the_json_do_not_matter(body):
    assert read(200, body) == {"id": 1}


def test_broken_characters_are_replaced_and_the_rest_is_read():
    assert read(200, b'{"name":"caf\xe9","id":1}') == {"name": "caf\N{REPLACEMENT CHARACTER}", "id": 1}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("0", 1),
        ("0.001", 1),
        ("1000000000", 3600),
        ("9" * 60, 3600),
        ("Sun, 22 Nov 2026 12:02:00 GMT", 120),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 1),
        ("Sun, 22 Nov 2099 11:00:00 GMT", 3600),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("NaN", None),
        ("١٢", None),
        ("Sun, 99 Foo 2026 12:02:00 GMT", None),
        ("Sun, 22 Nov 2026 12:02:00 -0000", None),
    ],
)
@time_machine.travel(datetime(2026, 11, 22, 12, 0, tzinfo=UTC), tick=False)
def test_the_wish_to_wait_is_kept_between_a_second_and_an_hour(header, seconds):
    assert retry_after(header) == seconds


def test_a_throttled_call_carries_the_wait():
    with pytest.raises(Throttled) as caught:
        read(429, wait="120")
    assert caught.value.retry_after == 120


@pytest.mark.parametrize("status", [401, 403, 404, 405, 409, 429])
def test_a_refusal_is_never_tried_again(autotask, client, status):
    autotask.get(f"{V1}Invoices/7", status=status)
    with pytest.raises((Permanent, Throttled)):
        client.get("Invoices", 7)
    assert client.calls == 1


def test_a_wrong_secret_is_told_in_its_own_words_and_never_repeated(autotask, client):
    """Autotask locks an API user after repeated failures (rule 1.3)."""
    autotask.post(f"{V1}Invoices/query/count", status=401)
    with pytest.raises(Unauthorized, match="did not accept the key or secret"):
        client.count("Invoices", [])
    assert client.calls == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_passing_fault_is_tried_three_times_when_reading_and_once_when_writing(autotask, client, status):
    autotask.get(f"{V1}Invoices/7", status=status)
    autotask.patch(f"{V1}Invoices", status=status)
    with pytest.raises(Unavailable):
        client.get("Invoices", 7)
    assert client.calls == 3
    with pytest.raises(Unavailable) as caught:
        client.patch("Invoices", {"id": 7})
    assert client.calls == 4
    assert caught.value.maybe_applied
