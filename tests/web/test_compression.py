"""What goes over the wire is compressed, except where its length could tell another site a secret (docs/wire.md)."""

import gzip
import re
from difflib import SequenceMatcher

import brotli
import pytest

from portal.web.downloads import table
from tests import factories
from tests.fixtures.form_tokens import NONE
from tests.reading import value

LOGIN = "/login"


def body(answer):
    return {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[answer.content_encoding](
        answer.data
    )


@pytest.mark.parametrize(
    ("accepts", "sends"),
    [("br", "br"), ("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip"), ("*", "br"),
     ("", None), ("identity", None), ("deflate", None), ("gzip;q=0", None)],
)  # fmt: skip
@pytest.mark.parametrize("address", [LOGIN, "/static/portal.css"])
def test_an_answer_comes_in_what_the_browser_takes(client, address, accepts, sends):
    plain, answer = client.get(address), client.get(address, headers={"Accept-Encoding": accepts})
    assert answer.content_encoding == sends
    assert "Accept-Encoding" in answer.vary
    assert abs(len(body(answer)) - len(plain.data)) < 10  # tokens differ
    assert int(answer.headers["Content-Length"]) == len(answer.data)


@pytest.mark.parametrize(
    ("site", "sends"), [("cross-site", None), ("same-site", None), ("same-origin", "br"), ("none", "br")]
)
def test_a_page_that_another_site_asked_for_tells_nothing_by_its_length(client, site, sends):
    answer = client.get(LOGIN, headers={"Accept-Encoding": "br, gzip", "Sec-Fetch-Site": site})
    assert answer.content_encoding == sends
    assert "Sec-Fetch-Site" in answer.vary


def test_form_tokens_share_nothing_from_page_to_page_and_each_is_valid(app, client):
    with app.app_context():
        factories.member(factories.tenant(), email="dana@northwind.example")
    one, other = (value(client.get(LOGIN).text, "csrf_token") for _ in range(2))
    start = len("masked.")
    assert SequenceMatcher(None, one[start:], other[start:], autojunk=False).find_longest_match().size < 8
    form = {"email": "dana@northwind.example", "password": factories.PASSWORD}
    assert (
        client.post(LOGIN, data=form | {"csrf_token": one[:-8] + "AAAAAAAA"}, token=NONE).status_code == 400
    )
    assert client.post(LOGIN, data=form | {"csrf_token": one}, token=NONE).status_code == 303


def test_a_static_file_is_kept_for_a_year_under_the_mark_of_its_content_only(client):
    address = re.search(r'href="(/static/portal.css\?v=[0-9a-f]+)"', client.get(LOGIN).text)[1]
    kept = client.get(address, headers={"Accept-Encoding": "br"})
    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    old = client.get("/static/portal.css?v=0123456789", headers={"Accept-Encoding": "br"})
    assert (old.headers["Cache-Control"], old.data) == ("public, no-cache", kept.data)
    again = client.get(
        "/static/portal.css", headers={"If-None-Match": old.headers["ETag"], "Accept-Encoding": "br"}
    )
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("name", ["../wsgi.py", "..%2Fwsgi.py", "vendor/../../wsgi.py", "vendor", "none.css"])
def test_nothing_but_static_files_is_sent(client, name):
    assert client.get(f"/static/{name}").status_code == 404


def test_what_streams_goes_out_as_it_comes(app):
    with app.test_request_context(headers={"Accept-Encoding": "br"}):
        answer = app.process_response(table("rows.csv", (f"{number}\r\n" for number in range(1000))))
    assert (answer.is_streamed, answer.content_encoding) == (True, None)
