"""A partner's logo: what is taken, who sees it, and the mails that carry it."""

import os
import re
import time
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from portal import clock, storage
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.mail import logo as mail_logo
from portal.mail import send
from portal.models import InvoicePdf, Mail, MailKind, PdfState, Tenant
from portal.people import logo
from tests import factories
from tests.mail import written
from tests.mail.post_office import PostOffice, opened

LogIn = Callable[..., FlaskClient]
LOGO = "/p/northwind/settings/logo"
SECRET = b"taken at 52.5200 N, 13.4050 E"


def picture(kind: str = "PNG", size: tuple[int, int] = (900, 300), **more: Any) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, (20, 90, 180)).save(file, kind, **more)
    return file.getvalue()


def noise(size: tuple[int, int]) -> bytes:
    file = BytesIO()
    Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3)).save(file, "JPEG", quality=20)
    return file.getvalue()


def bomb() -> bytes:
    """A small PNG whose header promises 10 billion pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)

    header = (100_000).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def upload(browser: FlaskClient, data: bytes, name: str = "logo.png") -> Any:
    return browser.post(LOGO, data={"logo": (BytesIO(data), name)}, content_type="multipart/form-data")


def stored(app: Flask, partner: Tenant) -> bytes | None:
    with app.app_context(), tenant_scope(partner.id):
        return logo.of(db.session.get_one(Tenant, partner.id))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_is_drawn_anew_and_nothing_of_the_file_but_its_pixels_is_kept(
    app: Flask, partner: Tenant, log_in: LogIn, kind: str
) -> None:
    owner = log_in(partner)
    assert "There is no logo yet" in owner.get(LOGO).text
    data = picture(kind, exif=b"Exif\x00\x00" + SECRET) + b"<script>alert(1)</script>" + SECRET
    assert upload(owner, data, "../../evil.svg").status_code == 303
    kept = stored(app, partner)
    assert kept is not None
    assert Image.open(BytesIO(kept), formats=["PNG"]).size == (360, 120)
    assert not any(word in kept for word in (SECRET, b"script", b"evil"))
    assert "Logo changed" in owner.get("/p/northwind/activity").text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no PNG or JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "no PNG or JPEG"),
        (b"\x89PNG\r\n\x1a\n<svg onload='alert(1)'/>", "no PNG or JPEG"),
        (picture("GIF"), "no PNG or JPEG"),
        (picture("BMP", (30, 10)), "no PNG or JPEG"),
        (picture("PDF", (30, 10)), "no PNG or JPEG"),
        (picture()[:80], "no PNG or JPEG"),
        (b"%PDF-1.7", "no PNG or JPEG"),
        (os.urandom(1000), "no PNG or JPEG"),
        (picture(size=(4100, 4000)), "too many pixels"),
        (bomb(), "no PNG or JPEG"),
    ],
)
def test_what_is_no_small_png_or_jpeg_is_refused_and_the_old_one_stays(
    app: Flask, partner: Tenant, log_in: LogIn, data: bytes, said: str
) -> None:
    """A script in a drawing (SVG) is no picture here, whatever its name says (ASVS 1.3.4, 5.2.2)."""
    owner = log_in(partner)
    upload(owner, picture())
    before = stored(app, partner)
    refused = upload(owner, data)
    assert (refused.status_code, said in refused.text) == (422, True)
    assert stored(app, partner) == before


def test_a_file_that_is_too_large_is_refused_unread(
    app: Flask, partner: Tenant, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logo, "MOST_BYTES", 20_000)
    refused = upload(log_in(partner), picture() + bytes(20_000))
    assert (refused.status_code, "too large" in refused.text) == (422, True)
    assert stored(app, partner) is None


def test_no_picture_is_larger_than_mails_can_carry(app: Flask) -> None:
    for size in ((1200, 400), (400, 1200), (1, 1), (3000, 1)):
        drawn = logo.redrawn(noise(size))
        assert len(drawn) <= 60_000
        width, height = Image.open(BytesIO(drawn)).size
        assert (width <= logo.WIDTH, height <= logo.HEIGHT) == (True, True)


def test_it_is_shown_to_the_partners_own_people_alone_and_cannot_act_as_a_page(
    app: Flask, partner: Tenant, log_in: LogIn, visit: Callable[..., FlaskClient]
) -> None:
    owner, reader, support = log_in(partner), log_in(partner, "reader"), visit(partner)
    assert upload(owner, picture()).status_code == 303
    with app.app_context():
        stranger = log_in(factories.tenant("contoso"))
        staff = log_in(user=factories.user(staff=True))
    address = f"{LOGO}.png"
    for browser, status in (
        (owner, 200),
        (reader, 200),
        (support, 200),
        (stranger, 404),
        (staff, 404),
    ):
        assert browser.get(address).status_code == status, (status, browser)
    assert app.test_client().get(address).location.startswith("/login")
    answer = reader.get(address)
    assert (answer.mimetype, answer.headers["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "no-store" in answer.headers["Cache-Control"]
    assert f'src="{address}' in reader.get("/p/northwind/settings").text
    assert stranger.get("/p/contoso/settings/logo.png").status_code == 404, "they have none of their own"


def test_a_logo_of_dark_letters_on_nothing_stands_on_white_in_the_dark_too(app: Flask) -> None:
    style = (Path(app.static_folder or "") / "portal.css").read_text()
    assert "background: #fff" in style.partition(".partner-logo {")[2].partition("}")[0]
    for page in (Path(app.root_path).parent / "templates").rglob("*.html"):
        pictures = re.findall(r"<img[^>]*?logo\.picture.*?>", page.read_text(), re.DOTALL)
        assert all('class="partner-logo"' in one for one in pictures), page


@pytest.mark.parametrize("role", ["manager", "clerk", "reader"])
def test_owners_change_it_and_nobody_else(partner: Tenant, log_in: LogIn, app: Flask, role: str) -> None:
    somebody = log_in(partner, role)
    assert [upload(somebody, picture()).status_code, somebody.post(f"{LOGO}/remove").status_code] == [
        403,
        403,
    ]
    assert LOGO + '"' not in somebody.get("/p/northwind/settings").text
    assert stored(app, partner) is None


def test_taken_away_it_is_gone_from_the_storage(
    app: Flask, partner: Tenant, log_in: LogIn, superuser: Any
) -> None:
    owner = log_in(partner)
    for size in ((100, 40), (90, 30)):
        upload(owner, picture(size=size))
        assert superuser.execute("SELECT count(*) FROM stored_file").fetchone() == (1,), "only the newest"
    for said in ("The logo is taken away", "There was no logo"):
        assert owner.post(f"{LOGO}/remove").status_code == 303
        assert said in owner.get(LOGO).text
    assert superuser.execute("SELECT count(*) FROM stored_file").fetchone() == (0,)
    assert owner.get(f"{LOGO}.png").status_code == 404


def test_mails_of_the_partner_carry_it_inside_and_a_persons_own_mails_do_not(
    app: Flask, partner: Tenant, log_in: LogIn
) -> None:
    upload(log_in(partner), picture())
    office = PostOffice()
    with opened(office) as server, app.app_context():
        app.config["MAIL"] = server
        with tenant_scope(partner.id):
            written.one(MailKind.DIGEST)
            db.session.commit()
        written.one(MailKind.SECURITY_EVENT)
        db.session.commit()
        assert send.send_due() == 2
    digest, event = sorted(office.mails, key=lambda mail: "week" not in str(mail["Subject"]).lower())
    (inside,) = [part for part in digest.walk() if part.get_content_maintype() == "image"]
    assert (inside.get_content_type(), inside["Content-ID"]) == ("image/png", "<logo>")
    assert inside.get_content_disposition() == "inline"
    assert inside.get_payload(decode=True) == stored(app, partner)
    html = digest.get_body(("html",))
    assert html is not None
    assert '<img src="cid:logo" alt="Northwind IT" width="180" height="60">' in html.get_content()
    assert [part.get_content_type() for part in event.walk() if part.get_content_maintype() == "image"] == []
    page = event.get_body(("html",))
    assert page is not None
    assert "<img" not in page.get_content()


def test_a_mail_goes_out_without_it_where_the_storage_is_away(
    app: Flask, partner: Tenant, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(log_in(partner), picture())
    monkeypatch.setattr(storage, "_bucket", _away)
    office = PostOffice()
    with opened(office) as server, app.app_context():
        app.config["MAIL"] = server
        with tenant_scope(partner.id):
            written.one(MailKind.DIGEST)
            db.session.commit()
        assert send.send_due() == 1
    assert len(office.mails) == 1


def _away() -> Any:
    raise storage.StorageFailed(storage.AWAY)


@pytest.fixture(autouse=True)
def _asked_again(app: Flask) -> Iterator[None]:
    yield
    app.extensions.pop(mail_logo.ASKED_AGAIN, None)


def test_a_storage_that_is_away_is_asked_once_a_minute_for_the_logos_of_mails(
    app: Flask, partner: Tenant, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(log_in(partner), picture())
    asked: list[str] = []

    def away() -> Any:
        asked.append("asked")
        return _away()

    monkeypatch.setattr(storage, "_bucket", away)
    with opened(PostOffice()) as server, app.app_context():
        app.config["MAIL"] = server
        for later, times in ((0, 1), (30, 1), (61, 2)):
            now = time.monotonic() + later
            monkeypatch.setattr(clock, "monotonic", lambda now=now: now)
            with tenant_scope(partner.id):
                written.one(MailKind.DIGEST)
                written.one(MailKind.DIGEST)
                db.session.commit()
            assert [send.send(*key) for key in send.due()] == ["sent", "sent"]
            assert len(asked) == times, later


class Bucket:
    """A bucket that looks at the database while it is asked: open transactions, and the key that the partner names."""

    def __init__(self, superuser: Any) -> None:
        self.superuser, self.files, self.seen = superuser, {}, []

    def put(self, path: str, data: bytes) -> None:
        self._look("put", path)
        self.files[path] = data

    def get(self, path: str) -> Any:
        self._look("get", path)
        return SimpleNamespace(bytes=lambda: self.files[path])

    def delete(self, path: str) -> None:
        self._look("delete", path)
        del self.files[path]

    def _look(self, what: str, path: str) -> None:
        opened_ones = (
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'portal' AND state LIKE 'idle in tr%'"
            " AND datname = current_database()"
        )
        (number,) = self.superuser.execute(opened_ones).fetchone()
        (key,) = self.superuser.execute("SELECT logo_key FROM tenant").fetchone()
        self.seen.append((what, number, path.endswith(f"/{key}")))


def test_the_storage_is_asked_while_nothing_is_open_and_no_file_in_use_is_taken_away(
    app: Flask, partner: Tenant, log_in: LogIn, superuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A storage that is away answers after 15 seconds: nobody waits for the partner's row or log meanwhile."""
    owner, bucket = log_in(partner), Bucket(superuser)
    monkeypatch.setattr(storage, "_bucket", lambda: bucket)
    for size in ((100, 40), (90, 30), (100, 40)):
        assert upload(owner, picture(size=size)).status_code == 303
        assert stored(app, partner) is not None
    assert owner.post(f"{LOGO}/remove").status_code == 303
    assert bucket.files == {}
    assert {look for look in bucket.seen if look[0] == "get"} == {("get", 0, True)}
    bucket.seen = [look for look in bucket.seen if look[0] != "get"]
    assert bucket.seen == [
        ("put", 0, False),
        *[("put", 0, False), ("delete", 0, False)] * 2,
        ("delete", 0, False),
    ]
    upload(owner, picture())
    with opened(PostOffice()) as server, app.app_context():
        app.config["MAIL"] = server
        with tenant_scope(partner.id):
            written.one(MailKind.DIGEST)
            db.session.commit()
        assert send.send_due() == 1
    assert bucket.seen[-1] == ("get", 0, True)


def test_pages_that_give_files_hold_no_connection_while_the_storage_is_asked(
    app: Flask, partner: Tenant, log_in: LogIn, superuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A storage that is away would else keep a process's few connections from everybody."""
    owner, bucket = log_in(partner), Bucket(superuser)
    monkeypatch.setattr(storage, "_bucket", lambda: bucket)
    upload(owner, picture())
    with app.app_context(), factories.inside(partner):
        invoice = factories.invoice(factories.customer())
        customer_id, invoice_id = invoice.customer_id, invoice.id
        key = f"invoices/{invoice_id}.pdf"
        db.session.add(
            InvoicePdf(tenant_id=partner.id, invoice_id=invoice_id, state=PdfState.HERE, storage_key=key)
        )
        db.session.commit()
    bucket.files[f"{partner.id}/{key}"] = b"%PDF-1.7"
    bucket.seen.clear()
    pages = ("settings/logo.png", f"customers/{customer_id}/statement.pdf", f"invoices/{invoice_id}/pdf")
    for page in pages:
        assert owner.get(f"/p/northwind/{page}").status_code == 200, page
    assert [look[:2] for look in bucket.seen] == [("get", 0)] * len(pages)


def test_two_who_upload_the_same_picture_at_once_leave_a_logo(
    app: Flask, partner: Tenant, at_once: Callable[..., list[Any]], superuser: Any
) -> None:
    barrier = Barrier(2)

    def change() -> None:
        with tenant_scope(partner.id):
            barrier.wait(10)
            logo.change(factories.ACTOR, picture())

    assert at_once(change, change) == [None, None]
    assert stored(app, partner) is not None
    assert superuser.execute("SELECT count(*) FROM stored_file").fetchone() == (1,)


def test_a_storage_that_is_away_keeps_no_logo_and_stands_in_no_ones_way_to_take_one_off(
    app: Flask, partner: Tenant, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = log_in(partner)
    upload(owner, picture(size=(90, 30)))
    before = stored(app, partner)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "_bucket", _away)
        refused = upload(owner, picture())
    assert refused.status_code == 422
    assert "The logo could not be kept; nothing was changed. Try again in a few minutes." in refused.text
    assert "PDF" not in refused.text
    assert stored(app, partner) == before
    with monkeypatch.context() as patch:
        patch.setattr(storage, "_bucket", _away)
        assert owner.post(f"{LOGO}/remove").status_code == 303
    assert "The logo is taken away" in owner.get(LOGO).text
    assert stored(app, partner) is None


def test_the_page_of_a_mail_shows_it(app: Flask, partner: Tenant, log_in: LogIn) -> None:
    upload(log_in(partner), picture())
    with app.app_context():
        kim = factories.user(staff=True)
        with tenant_scope(partner.id):
            written.one(MailKind.DIGEST)
            db.session.commit()
            number = db.session.scalars(db.select(Mail.id).where(Mail.kind == "digest")).one()
    answer = log_in(user=kim).get(f"/staff/mails/{number}/html")
    assert 'src="data:image/png;base64,' in answer.text
    assert "img-src data:" in answer.headers["Content-Security-Policy"]
