"""The check's visitor sees what a browser without script would send."""

import pytest

from local.visitor import NotOnPage, Page, Reader

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
  <button name="act" value="go">Record</button>
</form><script>var no = "text"</script></body></html>
"""


@pytest.fixture
def page() -> Page:
    reader = Reader()
    reader.feed(HTML)
    return Page("http://x/", 200, " ".join(reader.words), reader.links, reader.forms, HTML)


def test_a_form_has_the_values_that_a_browser_would_send(page) -> None:
    assert page.form(action="/pay").fields == {
        "csrf_token": "t&1", "amount": "10.00", "method": "ach", "role": "primary", "note": "for you",
    }  # fmt: skip


def test_a_choice_is_found_by_its_words(page) -> None:
    assert page.form(having="amount").choice("method", "transfer") == "ach"
    with pytest.raises(NotOnPage, match="No option 'Cash'"):
        page.form(having="amount").choice("method", "Cash")


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
