"""The check's visitor sees what a person without script sees, and sends what their browser would."""

import mechanicalsoup
import pytest

from local.visitor import NotOnPage, Page

HTML = """
<html><head><title>No text</title><style>p {}</style></head><body>
<h1>Invoice 7</h1><a href="/p/x/payments/new?invoice=7" aria-label="Pay it">Record <b>payment</b></a>
<form action="/search"><input name="q" value="old"></form>
<form action="/pay" method="POST">
  <input type="hidden" name="csrf_token" value="t&amp;1">
  <input name="amount" value="10.00"><input name="off" value="x" disabled>
  <select name="method"><option value="check">Check</option><option value="ach" selected>ACH transfer</option></select>
  <input type="radio" name="role" value="primary" checked><input type="radio" name="role" value="secondary">
  <textarea name="note">for you</textarea>
  <button name="act" value="go">Record</button><button name="act" value="other">Something else</button>
</form><script>var no = "text"</script></body></html>
"""


@pytest.fixture
def page() -> Page:
    return Page("http://x/", 200, HTML)


def test_a_form_is_sent_with_what_stands_and_what_is_typed_by_its_first_button(page) -> None:
    form = page.form(action="/pay").filled({"amount": "5", "role": "secondary"})

    assert dict(mechanicalsoup.Browser.get_request_kwargs(form.form, page.url)["data"]) == {
        "csrf_token": "t&1", "amount": "5", "method": "ach", "role": "secondary", "note": "for you", "act": "go",
    }  # fmt: skip


def test_links_are_found_by_words_and_by_address(page) -> None:
    assert page.link("Pay it") == page.link(r"/payments/new") == "/p/x/payments/new?invoice=7"
    with pytest.raises(NotOnPage, match="has no link like 'Delete'"):
        page.link("Delete")


def test_hidden_parts_are_not_read(page) -> None:
    assert "Invoice 7" in page.text
    assert not any(word in page.text for word in ("No text", "var no", "p {}"))


def test_a_missing_form_is_told_with_those_there(page) -> None:
    with pytest.raises(NotOnPage, match=r"It has .*'/search'"):
        page.form(action="/delete")
