"""A form that was open too long keeps what was typed; what is too large is told so on a page of ours."""

import io
import re

import pytest
from flask import g
from flask_wtf.csrf import CSRFError
from sqlalchemy import select

from portal import attention, clock
from portal.extensions import db
from portal.forms import CHOOSE_THE_FILE_AGAIN
from portal.models import Cause, ExceptionItem, Payment
from portal.web.error_pages import FORM_EXPIRED, WORDS
from portal.web.security_headers import HEADERS
from tests import factories
from tests.fixtures.form_tokens import NONE, STALE
from tests.reading import element, value


@pytest.fixture
def partner(app):
    with app.app_context():
        partner = factories.tenant("northwind")
        factories.member(partner, email="dana@northwind.example")
        return partner


@pytest.fixture
def payment(app, partner):
    """A filled-in payment form."""
    with app.app_context(), factories.inside(partner):
        invoice = factories.invoice(factories.customer(factories.integration(app)))
        return {"invoice": invoice.id, "amount": "40.00", "paid_on": "2026-11-19", "method": "check",
                "reference": "check 1042", "note": "came by mail", "key": "k" * 24}  # fmt: skip


def recorded(app, partner):
    with app.app_context(), factories.inside(partner):
        return db.session.query(Payment).count()


def token_in(page):
    return value(page, "csrf_token")


@pytest.mark.parametrize(("headers", "status"), [({}, 400), ({"HX-Request": "true"}, 422)])
def test_a_payment_form_that_was_open_too_long_is_drawn_again_as_it_was_typed(
    app, log_in, partner, payment, headers, status
):
    clerk = log_in(partner, "clerk")
    answer = clerk.post("/p/northwind/payments", data=payment, token=STALE, headers=headers)
    assert answer.status_code == status
    for typed in (FORM_EXPIRED.title, 'value="40.00"', "check 1042", "came by mail", "k" * 24):
        assert typed in answer.text
    assert recorded(app, partner) == 0
    again = payment | {"csrf_token": token_in(answer.text)}
    assert clerk.post("/p/northwind/payments", data=again, token=NONE).status_code == 303
    assert recorded(app, partner) == 1


def test_the_login_page_keeps_the_address_and_takes_the_password_with_its_fresh_token(client, partner):
    typed = {"email": "dana@northwind.example", "password": factories.PASSWORD}
    answer = client.post("/login", data=typed, token=STALE)
    assert (answer.status_code, "dana@northwind.example" in answer.text) == (400, True)
    assert factories.PASSWORD not in answer.text
    assert "but not the password: type it once more" in answer.text
    assert (
        client.post("/login", data=typed | {"csrf_token": token_in(answer.text)}, token=NONE).status_code
        == 303
    )


def test_a_button_whose_page_is_stale_leads_to_the_page_read_anew(log_in, partner):
    page = "http://localhost/p/northwind/deliveries"
    answer = log_in(partner).post("/p/northwind/deliveries/retry", token=STALE, headers={"Referer": page})
    assert answer.status_code == 400
    assert element(answer.text, f'a[href="{page}"]').get_text(strip=True) == "Open the page again"


def too_large():
    return {"data": b"note=" + b"x" * 8_500_000, "content_type": "application/x-www-form-urlencoded"}


def too_many_parts():
    parts = {f"field-{number}": "x" for number in range(1_100)}
    return {"data": parts, "content_type": "multipart/form-data"}


@pytest.mark.parametrize("body", [too_large, too_many_parts])
@pytest.mark.parametrize("role", ["", "clerk"])
def test_what_is_too_large_is_told_so_on_a_page_of_ours(client, log_in, partner, role, body):
    person = log_in(partner, role) if role else client
    answer = person.post("/p/northwind/payments", token=NONE, **body())
    assert answer.status_code == 413
    assert WORDS[413].title in answer.text
    assert HEADERS.items() <= dict(answer.headers).items()


def test_a_form_sent_after_the_session_ended_says_so_and_leads_back(client, partner):
    sent = client.post(
        "/p/northwind/payments", headers={"Referer": "http://localhost/p/northwind/payments/new?x=1"}
    )
    assert sent.location == "/login?next=/p/northwind/payments/new?x%3D1"
    assert "nothing was saved" in client.get(sent.location).text


def test_a_view_that_forgets_to_ask_for_the_token_still_writes_nothing(app, partner):
    with app.test_request_context():
        g.form_token_refused = True
        db.session.merge(partner).name = "Taken over"
        with pytest.raises(CSRFError):
            db.session.commit()
        db.session.rollback()


def test_ticks_at_a_button_stay_when_its_page_was_open_too_long(app, log_in, partner):
    """Also those of the list of what is missing, for both of its buttons."""
    with app.app_context(), factories.inside(partner):
        items = [
            attention.open_item(Cause.BAD_RECORD, "invoice", str(n), label=f"Invoice {n}", detail="No date.")
            for n in range(2)
        ]
        db.session.commit()
        ids = db.session.scalars(select(ExceptionItem.id).order_by(ExceptionItem.id)).all()
        missing = factories.invoice(
            factories.customer(factories.integration(app)), missing_since=clock.now()
        ).id
    assert len(items) == len(ids) == 2
    owner = log_in(partner, "owner")
    for path, data, ticked in (
        ("exceptions/resolve", {"item": ids[0], "reason": "The customer called"}, ids[0]),
        ("exceptions/retry", {"item": ids[1]}, ids[1]),
        ("missing/archive", {"kind": "invoice", "id": missing}, missing),
    ):
        answer = owner.post(f"/p/northwind/{path}", data=data, token=STALE)
        boxes = re.findall(r'<input[^>]*type="checkbox"[^>]*>', answer.text)
        assert [f'value="{ticked}"' in box for box in boxes if " checked" in box] == [True], path
        assert (answer.status_code, "What you ticked is still ticked" in answer.text) == (400, True), path
        again = data | {"csrf_token": token_in(answer.text)}
        assert owner.post(f"/p/northwind/{path}", data=again, token=NONE).status_code == 303


def test_a_chosen_file_is_asked_for_again_in_words(log_in, partner):
    clerk = log_in(partner, "clerk")
    data = {"file": (io.BytesIO(b"invoice,amount,date\n"), "march.csv"), "order": "day"}
    answer = clerk.post("/p/northwind/payments/upload", data=data, token=STALE)
    assert (answer.status_code, CHOOSE_THE_FILE_AGAIN in answer.text) == (400, True)
    assert re.search(r'<option selected value="day"', answer.text)


def test_a_form_sent_after_the_session_has_gone_offers_to_log_in_and_come_back(app, log_in):
    with app.app_context():
        partner = factories.tenant("northwind")
    gone = log_in(partner)
    gone.post("/logout")
    answer = gone.post(
        "/p/northwind/settings/people/invitations",
        data={"email": "x@example.com"},
        token=STALE,
        headers={"Referer": "http://localhost/p/northwind/settings/people"},
    )
    assert answer.status_code == 400
    assert "You are not logged in any more" in answer.text
    assert 'href="/login?next=/p/northwind/settings/people"' in answer.text


def test_a_page_that_is_not_there_offers_a_stranger_to_log_in(client):
    assert (
        'href="/login?next=' in client.get("/no/such/page").text
        or 'href="/login"' in client.get("/no/such/page").text
    )
