"""Rule 8: what people are told, once a cause, by mail and in the portal, and how it ended, once."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import text

from portal.access import audit, security_events, support_visits, visiting
from portal.access.actor import Actor, Source
from portal.access.tenancy import people_scope, tenant_scope
from portal.extensions import db
from portal.mail import outbox
from portal.mail.drawing import draw
from portal.models import (
    Integration,
    Mail,
    Notice,
    NoticeChoice,
    NoticeKind,
    User,
)
from portal.notices import sweep
from tests import factories
from tests.fixtures.people import cookie_of


@pytest.fixture
def inside(app):
    with app.app_context():
        yield app


class Partner:
    """A partner with an owner, a clerk and Autotask, whose people were told of before."""

    def __init__(self, app):
        self.app, self.row = app, factories.tenant(time_zone="Europe/Berlin")
        self.owner = factories.member(
            self.row, "owner", email=f"owner-{self.row.id}@example.com", name="Olga Owner"
        )
        self.clerk = factories.member(self.row, "clerk")
        with tenant_scope(self.row.id):
            self.integration_id = factories.integration(app, email=f"autotask-{self.row.id}@example.com").id
            self.names = {
                self.owner.email: "owner", self.clerk.email: "clerk",
                f"autotask-{self.row.id}@example.com": "integration",
            }  # fmt: skip
            self.run("UPDATE membership SET created_at = now() - interval '2 days'")

    def run(self, statement, **values):
        with tenant_scope(self.row.id):
            db.session.execute(text(statement), values)
            db.session.commit()

    def invoice(self, amount="100.00"):
        """Of a customer of its own, inside the partner."""
        integration = db.session.get_one(Integration, (self.row.id, self.integration_id))
        return factories.invoice(factories.customer(integration), amount)

    def told(self):
        """Kind and receiver of each mail, in the order written; the addresses of owner and integration by name."""
        with tenant_scope(self.row.id):
            mails = db.session.scalars(db.select(Mail).order_by(Mail.id)).all()
            return [(mail.kind, self.names.get(mail.to_address, mail.to_address)) for mail in mails]

    def notices(self):
        with tenant_scope(self.row.id):
            return [
                (one.kind, one.ended_at is not None)
                for one in db.session.scalars(
                    db.select(Notice).order_by(Notice.id).execution_options(populate_existing=True)
                )
            ]

    def last_mail(self):
        with tenant_scope(self.row.id):
            mail = db.session.scalars(db.select(Mail).order_by(Mail.id.desc())).first()
            return draw(mail, outbox.link_of(mail))


@pytest.fixture
def partner(inside):
    return Partner(inside)


def both(kind):
    return [(kind, "owner"), (kind, "integration")]


def swept():
    sweep.sweep()
    sweep.sweep()


def refuse(partner, since="2026-11-24 09:00+00", probe="NULL"):
    partner.run(
        "UPDATE integration SET state = 'needs_reconnecting', reconnect_reason = 'Autotask did not accept the key.',"
        f" reconnect_since = '{since}', probe_at = {probe}"
    )


def mend(partner, state="connected"):
    partner.run(f"UPDATE integration SET state = '{state}', reconnect_since = NULL, reconnect_reason = NULL")


def test_a_refused_login_is_told_once_and_its_end_once(partner):
    other = Partner(partner.app)
    refuse(partner)
    swept()
    assert partner.told() == both("needs_reconnecting")
    mail = partner.last_mail()
    assert "Autotask did not accept the key. Since 24 Nov 2026, 10:00 CET nothing is read" in mail.text
    assert f"http://localhost/p/{partner.row.slug}/integrations/autotask" in mail.text
    mend(partner)
    swept()
    assert partner.told() == both("needs_reconnecting") + both("reconnected")
    assert "not connected since 24 Nov 2026, 10:00 CET" in partner.last_mail().text, "as the mail before said"
    refuse(partner, "2026-11-24 11:00+00")
    swept()
    assert partner.told()[4:] == both("needs_reconnecting")
    assert partner.notices() == [("needs_reconnecting", True), ("needs_reconnecting", False)]
    assert other.told() == []


def test_a_partner_that_is_disabled_is_told_nothing(partner):
    partner.run("UPDATE tenant SET disabled_at = now() WHERE id = :id", id=partner.row.id)
    refuse(partner)
    swept()
    assert partner.told() == []


def test_what_the_probe_mends_is_told_to_nobody(partner):
    refuse(partner, probe="now() + interval '5 minutes'")
    swept()
    mend(partner)
    swept()
    assert partner.told() == []


def test_disconnecting_ends_the_notice_without_a_word(partner):
    refuse(partner)
    swept()
    mend(partner, "disconnected")
    swept()
    assert partner.told() == both("needs_reconnecting")
    assert partner.notices() == [("needs_reconnecting", True)]


def ran(partner, kind, state, hours_ago, **more):
    partner.run(
        "INSERT INTO sync_run (tenant_id, integration_id, kind, trigger, state, created_at, finished_at) VALUES"
        " (:t, :i, :kind, 'schedule', :state, now() - make_interval(hours => :h),"
        " CASE WHEN :state IN ('completed', 'failed') THEN now() - make_interval(hours => :h) END)",
        t=partner.row.id, i=partner.integration_id, kind=kind, state=state, h=hours_ago,
    )  # fmt: skip


def scheduled(partner, *kinds):
    for kind in kinds:
        partner.run(
            "INSERT INTO sync_schedule (tenant_id, integration_id, kind, next_due_at) VALUES (:t, :i, :kind, now())",
            t=partner.row.id, i=partner.integration_id, kind=kind,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "runs", "late"),
    [
        ("new", [("completed", 4), ("failed", 3), ("failed", 2)], True),
        ("new", [("completed", 4), ("running", 3)], True),
        ("new", [("completed", 2), ("failed", 2), ("failed", 1)], False),
        ("new", [("failed", 1)], False),  # connected a short while ago
        ("new", [("completed", 100)], False),  # nothing was tried: it was not connected
        ("pdfs", [("completed", 5), ("failed", 3)], True),
        ("unpaid", [("completed", 60), ("failed", 50)], False),
        ("unpaid", [("completed", 80), ("failed", 50)], True),
    ],
)
def test_a_sync_that_was_not_completed_for_three_times_its_period_is_told_once(partner, kind, runs, late):
    scheduled(partner, kind)
    for state, hours in runs:
        ran(partner, kind, state, hours)
    swept()
    assert partner.told() == (both("sync_late") if late else [])


def test_two_late_kinds_are_one_mail_and_their_end_is_told_when_both_arrived(partner):
    scheduled(partner, "new", "pdfs")
    for kind in ("new", "pdfs"):
        ran(partner, kind, "failed", 3)
    swept()
    assert partner.told() == both("sync_late")
    assert "• new invoices and customers, which come every hour\n• PDF invoices" in partner.last_mail().text
    ran(partner, "new", "completed", 0)
    swept()
    assert partner.told() == both("sync_late")
    ran(partner, "pdfs", "completed", 0)
    swept()
    assert partner.told() == both("sync_late") + both("sync_on_time")


@pytest.mark.parametrize(
    ("delivery", "told"),
    [
        ("state = 'parked', next_try_at = NULL, error = 'No right to edit invoices.'", True),
        ("state = 'parked', next_try_at = now(), attempts = 12", False),  # goes on by itself
        ("state = 'waiting', attempts = 5, wished_at = now() - interval '61 minutes'", True),
        ("state = 'waiting', attempts = 5, wished_at = now() - interval '59 minutes'", False),
        (
            "state = 'waiting', next_try_at = now() - interval '61 minutes', wished_at = now() - interval '2 hours'",
            True,
        ),
        ("state = 'confirmed', attempts = 5, wished_at = now() - interval '2 hours'", False),
        ("state = 'parked', next_try_at = NULL, closed_at = now()", False),
    ],
)
def test_payments_are_told_once_they_are_parked_or_wait_for_over_an_hour(partner, delivery, told):
    with tenant_scope(partner.row.id):
        factories.payment((partner.invoice(), "100.00"))
    partner.run(f"UPDATE delivery SET {delivery}")
    swept()
    assert partner.told() == (both("payments_stuck") if told else [])
    if told:
        partner.run("UPDATE delivery SET state = 'confirmed', next_try_at = NULL")
        swept()
        assert partner.told()[2:] == both("payments_told")


def test_payments_that_wait_for_a_refused_login_are_told_as_that_alone(partner):
    with tenant_scope(partner.row.id):
        factories.payment((partner.invoice(), "100.00"))
    partner.run("UPDATE delivery SET attempts = 3, wished_at = now() - interval '2 hours'")
    refuse(partner)
    swept()
    assert partner.told() == both("needs_reconnecting")


def test_support_that_came_in_is_told_and_what_it_opened_when_it_left(partner):
    staff = factories.user(staff=True, name="Sam Support")
    with partner.app.test_request_context():
        cookie_of(partner.app, staff)
        from portal.access import sessions

        login = sessions.start(db.session.merge(staff))
        visit = support_visits.begin(
            login, db.session.merge(partner.row), support_visits.Wish("The partner asked for help", "T-9")
        )
        db.session.commit()
    swept()
    assert partner.told() == [("support_started", "owner")]
    mail = partner.last_mail().text
    assert "Sam Support, of the portal's support, came in as Olga Owner. They can look at everything" in mail
    with tenant_scope(partner.row.id):
        for path in ("/p/x/invoices?q=1", "/p/x/customers", "/p/x/invoices?q=2"):
            visiting.log_request(db.session.merge(visit), "GET", path, "r")
        did = Actor(Source.WEB, None, staff.id, visit.id)
        audit.record(did, "partner.settings_changed", "partner", partner.row.id, before={}, after={})
        support_visits.stop(db.session.merge(visit), staff.id)
        db.session.commit()
    swept()
    assert partner.told() == [("support_started", "owner"), ("support_ended", "owner")]
    mail = partner.last_mail()
    assert "What was opened:\n\n• Invoices (/p/x/invoices)\n• Customers (/p/x/customers)\n" in mail.text
    assert "What was changed:\n\n• Company settings changed\n" in mail.text, "as Activity says it"
    assert partner.notices() == [("support", True)]


def test_a_visit_that_ran_out_is_told_as_over(partner):
    staff = factories.user(staff=True)
    with partner.app.test_request_context():
        from portal.access import sessions

        login = sessions.start(db.session.merge(staff))
        support_visits.begin(
            login, db.session.merge(partner.row), support_visits.Wish("The partner asked for help")
        )
        db.session.commit()
    partner.run(
        "UPDATE support_visit SET started_at = now() - interval '2 hours', expires_at = now() - interval '1 hour'"
    )
    swept()
    assert partner.told() == [("support_started", "owner"), ("support_ended", "owner")]


def test_a_new_person_is_told_to_the_owners_and_not_to_themselves(partner):
    factories.member(partner.row, "owner", email="new@example.com", name="Nina New")
    swept()
    assert partner.told() == [("people_event", "owner")]
    assert "Nina New (new@example.com) was added as owner" in partner.last_mail().text


def test_a_key_that_is_made_is_told_to_the_owners(partner, log_in):
    client = log_in(user=partner.owner)
    page = client.get(f"/p/{partner.row.slug}/settings")
    key = page.text.split('name="key"')[1].split('value="')[1].split('"')[0]
    answer = client.post(
        f"/p/{partner.row.slug}/settings/api-keys", data={"name": "Checkout", "scopes": ["read"], "key": key}
    )
    assert answer.status_code == 201
    assert partner.told() == [("people_event", "owner")]
    assert "The API key “Checkout” was made by Olga Owner" in partner.last_mail().text


def test_a_new_factor_is_told_to_the_other_owners_of_each_partner(partner):
    other = factories.member(partner.row, "owner", email="second@example.com")
    elsewhere = Partner(partner.app)
    elsewhere.run(
        "INSERT INTO membership (tenant_id, user_id, role) VALUES (:t, :u, 'reader')",
        t=elsewhere.row.id,
        u=partner.owner.id,
    )
    for one in (partner, elsewhere):
        one.run("UPDATE membership SET created_at = now() - interval '2 days'")
    with people_scope():
        user = db.session.get_one(User, partner.owner.id)
        security_events.record(user, security_events.FACTOR_ADDED, kind="authenticator app", factor="Phone")
        db.session.commit()
    assert partner.told() == [("people_event", other.email)]
    assert elsewhere.told() == [("people_event", "owner")]
    assert "Olga Owner set up a second factor: authenticator app" in elsewhere.last_mail().text


def choose(partner, person, *kinds):
    with tenant_scope(partner.row.id):
        db.session.add(NoticeChoice(tenant_id=partner.row.id, user_id=person.id, no_mail=list(kinds)))
        db.session.commit()


def test_each_person_chooses_of_what_they_get_mails(partner):
    """The notice in the portal stays; the integration's address is another receiver."""
    choose(partner, partner.owner, NoticeKind.NEEDS_RECONNECTING)
    refuse(partner)
    swept()
    assert partner.told() == [("needs_reconnecting", "integration")]
    assert partner.notices() == [("needs_reconnecting", False)]


def test_who_wants_no_mail_gets_none_at_the_integrations_address_either(partner):
    partner.run("UPDATE integration SET email = upper(:email)", email=partner.owner.email)
    choose(partner, partner.owner, NoticeKind.NEEDS_RECONNECTING)
    refuse(partner)
    swept()
    assert partner.told() == []


def test_one_person_gets_one_mail_though_autotask_was_connected_with_their_address(partner):
    partner.run("UPDATE integration SET email = upper(:email)", email=partner.owner.email)
    refuse(partner)
    swept()
    assert partner.told() == [("needs_reconnecting", "owner")]


def test_a_disabled_owner_gets_no_mail(partner):
    db.session.execute(
        text("UPDATE app_user SET disabled_at = now() WHERE id = :id"), {"id": partner.owner.id}
    )
    db.session.commit()
    refuse(partner)
    swept()
    assert partner.told() == [("needs_reconnecting", "integration")]


MONDAY = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)  # 7:30 in Berlin


@pytest.fixture
def a_week_old(partner):
    made = {"then": MONDAY - timedelta(days=9), "id": partner.row.id}
    partner.run("UPDATE tenant SET created_at = :then WHERE id = :id", **made)
    return partner


@pytest.mark.parametrize(("at", "told"), [(MONDAY, True), (MONDAY - timedelta(hours=1), False)])
def test_the_week_is_told_from_monday_morning_in_the_partners_zone(a_week_old, at, told):
    with time_machine.travel(at, tick=False):
        swept()
    assert a_week_old.told() == ([("digest", "owner")] if told else [])


def test_the_week_in_numbers_is_told_once_and_can_be_switched_off(a_week_old):
    partner = a_week_old
    with tenant_scope(partner.row.id):
        for day, amount in (
            ("2026-11-15", "1.00"),
            ("2026-11-16", "20.00"),
            ("2026-11-22", "300.50"),
            ("2026-11-23", "4000"),
        ):
            factories.payment((partner.invoice("10000.00"), amount), on=datetime.fromisoformat(day).date())
    with time_machine.travel(MONDAY, tick=False):
        swept()
    assert partner.told() == [("digest", "owner")]
    mail = partner.last_mail()
    assert "the week of 16 Nov 2026 to 22 Nov 2026" in mail.subject
    assert "Collected in that week:\n\n• 320.50\N{NO-BREAK SPACE}USD" in mail.text.replace(
        " USD", "\N{NO-BREAK SPACE}USD"
    )
    assert "35,678.50" in mail.text
    assert "0 exceptions" in mail.text
    assert f"switch this one off:\nhttp://localhost/p/{partner.row.slug}/notices" in mail.text
    choose(partner, partner.owner, NoticeKind.DIGEST)
    partner.run("UPDATE notice SET created_at = :then, cause = 'before'", then=MONDAY)
    with time_machine.travel(MONDAY + timedelta(days=7), tick=False):
        swept()
    assert partner.told() == [("digest", "owner")]


@pytest.mark.parametrize(("made", "told"), [("2026-11-18 09:00+00", 1), ("2026-11-21 09:00+00", 0)])
def test_a_partner_made_in_the_middle_of_a_week_is_told_of_it_on_monday_or_not_at_all(partner, made, told):
    """Not three days after it was made, and never on another day than Monday."""
    partner.run(f"UPDATE tenant SET created_at = '{made}' WHERE id = :id", id=partner.row.id)
    for day in range(5):
        with time_machine.travel(datetime(2026, 11, 18, 12, tzinfo=UTC) + timedelta(days=day), tick=False):
            swept()
    assert partner.told() == []
    with time_machine.travel(MONDAY, tick=False):
        swept()
    assert partner.told() == [("digest", "owner")] * told


def test_the_reason_is_that_of_what_is_stuck_and_not_of_what_was_closed_before(partner):
    with tenant_scope(partner.row.id):
        for _ in range(2):
            factories.payment((partner.invoice(), "100.00"))
    partner.run("UPDATE delivery SET state = 'parked', next_try_at = NULL, wished_at = now() - interval '2 hours',"
                " error = 'Autotask refused it.'")  # fmt: skip
    partner.run("UPDATE delivery SET closed_at = now(), wished_at = now() - interval '9 hours', error = 'Closed.'"
                " WHERE id = (SELECT min(id) FROM delivery)")  # fmt: skip
    swept()
    assert "Autotask refused it." in partner.last_mail().text
    assert "Closed." not in partner.last_mail().text


def test_the_week_is_told_in_numbers_and_dates_as_the_partner_writes_them(a_week_old):
    partner = a_week_old
    partner.run("UPDATE tenant SET number_format = 'point_comma', date_format = 'year_month_day'")
    with tenant_scope(partner.row.id):
        partner.invoice("10000.00")
    with time_machine.travel(MONDAY, tick=False):
        swept()
    mail = partner.last_mail()
    assert "the week of 2026-11-16 to 2026-11-22" in mail.subject
    assert "10.000,00" in mail.text


def test_two_sweeps_at_once_tell_it_once(partner, inside):
    import threading

    refuse(partner)
    at_once = threading.Barrier(3)

    def work():
        with inside.app_context():
            at_once.wait()
            sweep.sweep()
            db.session.remove()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert partner.told() == both("needs_reconnecting")


def test_one_partner_that_cannot_be_told_holds_up_no_other(partner, monkeypatch):
    other = Partner(partner.app)
    refuse(partner)
    refuse(other)
    real = sweep.late_and_stuck.telling.page
    broken = partner.row.slug

    def page(endpoint, **values):
        if values["partner_slug"] == broken:
            raise RuntimeError("a bug")
        return real(endpoint, **values)

    monkeypatch.setattr(sweep.late_and_stuck.telling, "page", page)
    sweep.sweep()
    assert (partner.told(), other.told()) == ([], both("needs_reconnecting"))
    monkeypatch.undo()
    sweep.sweep()
    assert partner.told() == both("needs_reconnecting")


def test_an_address_that_takes_no_mail_holds_up_no_notice(partner):
    partner.run("UPDATE integration SET email = 'not an address'")
    refuse(partner)
    swept()
    assert partner.told() == [("needs_reconnecting", "owner")]
