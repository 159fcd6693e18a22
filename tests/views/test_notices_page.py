"""Notices in the portal: each person sees those of their work, what is new, and chooses of what mails come."""

import re

import pytest

from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import MailKind, NoticeChoice, NoticeKind
from portal.notices import telling
from portal.notices.telling import Words
from portal.queries.notices import KINDS
from tests import factories


@pytest.fixture
def partner(app):
    """A partner that was told one of each kind."""
    with app.app_context():
        made = factories.tenant("northwind")
        with tenant_scope(made.id):
            for kind in NoticeKind:
                words = Words(
                    f"Told of {kind}.",
                    "/p/northwind/activity",
                    MailKind.PEOPLE_EVENT,
                    {"what": "x", "at": "y"},
                )
                telling.tell(kind, "1", words)
            db.session.commit()
        return made


def told(page: str) -> set[str]:
    return set(re.findall(r">Told of (\w+)\.</a>", page.split('id="told"')[1]))


def bell(page: str) -> int:
    found = re.search(r'Notices: </span><span\s+class="nav-count">(\d+)<', page)
    return int(found[1]) if found else 0


def test_the_bell_shows_the_newest_and_how_many_are_new(partner, log_in, superuser):
    superuser.execute(
        "INSERT INTO notice (tenant_id, kind, cause, words, path)"
        " SELECT %s, 'people', 'n' || n, 'Told.', '/p/northwind/' FROM generate_series(1, 20) AS n",
        [partner.id],
    )
    page = log_in(partner).get("/p/northwind/activity").text
    assert bell(page) == 20 + len(NoticeKind)
    assert page.split('class="notice-list"')[1].split("</ul>")[0].count("<li>") == 10
    assert f"10 of {20 + len(NoticeKind)} shown." in page


def test_every_kind_has_words():
    assert set(KINDS) == set(NoticeKind)


@pytest.mark.parametrize(
    ("role", "hidden"),
    [
        ("owner", set()),
        ("manager", {"people", "digest"}),
        ("clerk", {"people", "digest"}),
        ("reader", {"people", "digest"}),
    ],
)
def test_each_role_sees_the_notices_of_its_work(partner, log_in, role, hidden):
    browser = log_in(partner, role)
    page = browser.get("/p/northwind/notices").text
    assert told(page) == {kind.value for kind in NoticeKind} - hidden
    assert bell(page) == len(NoticeKind) - len(hidden)
    assert ("Save choice of mails" in page) == (role == "owner")


def test_what_was_read_is_not_new_and_an_end_is(app, partner, log_in):
    browser = log_in(partner)
    assert bell(browser.get("/p/northwind/customers").text) == len(NoticeKind)
    browser.post("/p/northwind/notices/seen")
    page = browser.get("/p/northwind/notices").text
    assert (bell(page), len(told(page))) == (0, len(NoticeKind))
    assert "Nothing new." in page
    with app.app_context(), tenant_scope(partner.id):
        from portal.models import Notice

        late = db.session.scalars(db.select(Notice).where(Notice.kind == "sync_late")).one()
        telling.end(late, Words("It has arrived.", late.path, MailKind.SYNC_ON_TIME, {"since": "x"}))
        db.session.commit()
    page = browser.get("/p/northwind/notices").text
    assert bell(page) == 1
    assert "It has arrived." in page


def test_an_owner_chooses_of_what_mails_come(app, partner, log_in):
    browser = log_in(partner)
    page = browser.get("/p/northwind/notices").text
    assert len(re.findall(r'<input checked[^>]*name="by_mail"', page)) == len(NoticeKind)
    answer = browser.post(
        "/p/northwind/notices/choices", data={"by_mail": ["support"]}, follow_redirects=True
    )
    assert "You get mails about 1 thing of 7." in answer.text
    assert re.findall(r'<input checked[^>]*value="(\w+)"', answer.text) == ["support"]
    with app.app_context(), tenant_scope(partner.id):
        [chosen] = db.session.scalars(db.select(NoticeChoice))
        assert set(chosen.no_mail) == set(NoticeKind) - {"support"}
    browser.post("/p/northwind/notices/choices", data={})
    answer = browser.get("/p/northwind/notices")
    assert not re.search(r'<input checked[^>]*name="by_mail"', answer.text)
    assert browser.post("/p/northwind/notices/choices", data={"by_mail": ["nonsense"]}).status_code == 422


def test_choosing_leaves_unread_what_was_not_read(partner, log_in):
    browser = log_in(partner)
    browser.post("/p/northwind/notices/choices", data={"by_mail": ["support"]})
    assert bell(browser.get("/p/northwind/notices").text) == len(NoticeKind)


def test_one_persons_choice_is_nobody_elses(partner, log_in):
    first, second = log_in(partner), log_in(partner)
    first.post("/p/northwind/notices/seen")
    assert bell(first.get("/p/northwind/notices").text) == 0
    assert bell(second.get("/p/northwind/notices").text) == len(NoticeKind)


def test_support_sees_the_partners_notices_and_none_as_new(partner, log_in, visit):
    log_in(partner)
    browser = visit(partner)
    page = browser.get("/p/northwind/notices").text
    assert (bell(page), told(page)) == (0, {kind.value for kind in NoticeKind} - {"people", "digest"})
    assert browser.post("/p/northwind/notices/seen").status_code == 403
