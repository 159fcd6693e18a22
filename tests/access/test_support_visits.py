"""Support inside a partner: rule 7.2 (view only, reason, time limit, log) and 7.3 (both people)."""

import re
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import psycopg
import pytest
import time_machine
from sqlalchemy import select, update

from portal import attention, clock
from portal.access import audit, sessions
from portal.access.tenancy import scoped, tenant_scope
from portal.extensions import db
from portal.models import AuditEvent, Cause, Delivery, SupportRequest, SupportVisit, Tenant, User
from tests import factories
from tests.fixtures.people import with_factor_proved
from tests.pages import rows_behind

REASON = "Invoice 1042 still shows as unpaid"


@pytest.fixture
def partner(app):
    with app.app_context():
        partner = factories.tenant("northwind")
        factories.member(partner, email="dana@northwind.example")
        factories.user("kim@portal.example", staff=True)
        return partner


@pytest.fixture
def staff(client, partner):
    with_factor_proved(client, "kim@portal.example")
    return client


def step_in(staff, reason=REASON, slug="northwind"):
    return staff.post(
        f"/staff/partners/{slug}/visit", data={"reason": reason, "ticket": "T-1", "minutes": "30"}
    )


@pytest.fixture
def rows(app, partner):
    """All rows of a model that the partner has, with both people loaded."""

    def read(model):
        with app.app_context(), tenant_scope(partner.id):
            found = db.session.scalars(scoped(model).order_by(model.id)).all()
            for row in found:
                _ = [getattr(row, name, None) for name in ("user", "true_user")]
            return found

    return read


def test_staff_cannot_see_a_partner_without_a_visit(staff):
    assert staff.get("/p/northwind/integrations").status_code == 404


def test_a_reason_of_ten_characters_is_asked_for(staff, rows):
    assert step_in(staff, "too short").status_code == 422
    assert rows(SupportVisit) == []


def test_stepping_in_leads_to_the_partners_home_and_is_in_their_log_with_both_people(staff, rows):
    """Rule 7.3."""
    assert step_in(staff).status_code == 303
    [event] = [row for row in rows(AuditEvent) if row.event == "support_visit.started"]
    assert (event.true_user.email, event.user.email) == ("kim@portal.example", "dana@northwind.example")
    assert event.details["reason"] == REASON


def test_every_request_of_a_visit_is_written_before_it_runs(staff, rows):
    """Rule 7.3: also one that fails."""
    step_in(staff)
    staff.get("/p/northwind/no-such-page")
    staff.get("/p/northwind/integrations?x=1")
    assert [(row.method, row.path) for row in rows(SupportRequest)][-1] == (
        "GET",
        "/p/northwind/integrations?x=1",
    )


def test_every_page_of_a_visit_carries_the_bar(staff):
    """Rule 7.3."""
    step_in(staff)
    page = staff.get("/p/northwind/integrations").text
    for words in ("<strong>kim</strong>", "<strong>dana</strong>", REASON, "Stop"):
        assert words in page


def test_support_cannot_change_anything(staff, app):
    """Rule 7.2: view is read-only on the server, for every route that is not safe."""
    step_in(staff)
    unsafe = [
        (rule, method)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"GET", "HEAD", "OPTIONS"}
        if "partner_slug" in rule.arguments
    ]
    assert unsafe
    for rule, method in unsafe:
        values = {name: "northwind" if name == "partner_slug" else 1 for name in rule.arguments}
        with app.test_request_context():
            path = app.url_map.bind("").build(rule.endpoint, values, method=method)
        assert staff.open(path, method=method).status_code == 403, path


def test_a_visit_is_over_after_its_time(staff):
    with time_machine.travel(clock.now(), tick=False) as travel:
        step_in(staff)
        assert staff.get("/p/northwind/integrations").status_code == 200
        travel.shift(timedelta(minutes=29))
        staff.get("/p/northwind/integrations")
        travel.shift(timedelta(minutes=2))
        assert staff.get("/p/northwind/integrations").status_code in (303, 404)


def test_stop_ends_the_visit_at_once(staff, rows):
    step_in(staff)
    staff.post("/staff/visit/stop")
    assert staff.get("/p/northwind/integrations").status_code == 404
    assert [row.event for row in rows(AuditEvent)][-1] == "support_visit.stopped"


def test_an_owner_can_end_a_visit(staff, rows, app):
    step_in(staff)
    owner = app.test_client()
    with_factor_proved(owner, "dana@northwind.example")
    [visit] = rows(SupportVisit)
    owner.post(f"/p/northwind/support-visits/{visit.id}/stop")
    assert staff.get("/p/northwind/integrations").status_code == 404


def test_visits_do_not_nest(staff, app):
    """Rule 7.2: never nested."""
    with app.app_context():
        factories.member(factories.tenant("contoso"))
    step_in(staff)
    assert step_in(staff, slug="contoso").status_code == 422
    assert staff.get("/p/contoso/integrations").status_code == 404


def in_another_browser(app):
    other = app.test_client()
    with_factor_proved(other, "kim@portal.example")
    return other


def test_one_visit_at_a_time_also_from_another_browser(staff, app, rows):
    step_in(staff)
    refused = step_in(in_another_browser(app))
    assert (refused.status_code, "in another browser" in refused.text) == (422, True)
    assert len(rows(SupportVisit)) == 1


def test_the_database_keeps_two_browsers_that_step_in_at_the_same_moment_apart(staff, app, rows, monkeypatch):
    """Eight at once made four visits, before."""
    other = in_another_browser(app)
    monkeypatch.setattr(
        "portal.access.support_visits._refuse_second", lambda login: None
    )  # both looked before either wrote
    assert step_in(staff).status_code == 303
    refused = step_in(other)
    assert (refused.status_code, "in another browser" in refused.text) == (422, True)
    assert len(rows(SupportVisit)) == 1


@pytest.mark.parametrize("leave", ["logout", "login", "everywhere"])
def test_a_visit_ends_with_the_login(staff, app, rows, leave):
    step_in(staff)
    if leave == "logout":
        staff.post("/logout")
    elif leave == "login":
        with_factor_proved(staff, "kim@portal.example")
    else:
        with app.app_context():
            sessions.end_all(sessions.find_user("kim@portal.example").id)
            db.session.commit()
    assert rows(SupportVisit)[0].ended_at is not None
    assert [row.event for row in rows(AuditEvent)][-1] == "support_visit.stopped"


def test_a_visit_left_behind_in_a_browser_that_is_out_by_now_is_not_in_the_way(staff, app, rows, superuser):
    step_in(staff)
    superuser.execute("UPDATE login_session SET last_used_at = last_used_at - interval '31 minutes'")
    assert step_in(in_another_browser(app)).location == "/p/northwind/"
    assert [row.ended_at is None for row in rows(SupportVisit)] == [False, True]


def test_a_partners_user_gets_404_for_staff_pages(client, partner):
    with_factor_proved(client, "dana@northwind.example")
    assert [
        client.get(path).status_code for path in ("/staff/partners", "/staff/partners/northwind/visit")
    ] == [404, 404]


def test_the_audit_log_refuses_changes_even_by_its_owner_role(app, partner, owner_url):
    """Rule 7.4: append-only."""
    with app.app_context(), tenant_scope(partner.id):
        audit.record(factories.ACTOR, "partner.created", "partner", partner.id)
        db.session.commit()
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("SELECT set_config('app.tenant_id', %s, false)", (str(partner.id),))
        for change in ("UPDATE audit_event SET event = 'nothing'", "DELETE FROM audit_event"):
            with pytest.raises(psycopg.Error, match="append-only"):
                owner.execute(change)


def test_a_changed_moved_or_missing_event_breaks_the_chain(app, partner, superuser):
    """Rule 7.4: hash-chained, and a command verifies it."""
    with app.app_context(), tenant_scope(partner.id):
        for amount in range(5):
            audit.record(factories.ACTOR, "payment.recorded", "payment", amount, amount=str(amount))
        db.session.commit()
        assert audit.first_break() is None
        superuser.execute("SET session_replication_role = replica")
        superuser.execute("UPDATE audit_event SET details = '{}' WHERE position = 3")
        db.session.rollback()
        assert audit.first_break() == 3
        superuser.execute("DELETE FROM audit_event WHERE position = 2")
        db.session.rollback()
        assert audit.first_break() == 3


def test_refusals_around_a_visit_speak_to_staff(staff, partner, app):
    asked = staff.get("/p/northwind/invoices")
    assert (asked.status_code, f"You are not inside {partner_name(app)}" in asked.text) == (404, True)
    step_in(staff)
    refused = staff.get("/p/northwind/invoices/export.csv")
    assert refused.status_code == 403
    assert "A support visit does not include this" in refused.text
    assert "owner of your company" not in refused.text
    staff.post("/staff/visit/stop")
    with app.app_context(), tenant_scope(partner.id):
        db.session.execute(update(SupportVisit).values(ended_at=clock.now(), ended_by_id=None))
        db.session.commit()
    ended = staff.get("/p/northwind/invoices")
    assert ended.status_code == 404
    assert f"Your visit to {partner_name(app)} has ended" in ended.text
    assert "The partner ended it at" in ended.text
    assert "Step in again, with the reason" in ended.text
    assert staff.get("/p/nobody/invoices").status_code == 404


def partner_name(app):
    with app.app_context():
        return db.session.query(Tenant).one().name


def test_visits_that_overlapped_before_are_ended_by_the_upgrade(cloned_database):
    [file] = (Path(__file__).parents[2] / "migrations" / "versions").glob("*_one_visit_at_a_time.py")
    upgrade = import_module(f"migrations.versions.{file.stem}")
    add = "INSERT INTO support_visit (tenant_id, staff_user_id, as_user_id, login_session_id, reason, started_at,"
    add += " expires_at) SELECT t.id, u.id, u.id, l.id, 'A reason long enough', at, at + interval '1 hour'"
    add += " FROM tenant t, app_user u, login_session l, generate_series(timestamptz '2026-11-01 10:00Z',"
    add += " '2026-11-01 12:30Z', interval '50 minutes') at"
    with psycopg.connect(cloned_database) as connection:
        for statement in (
            "ALTER TABLE support_visit DROP CONSTRAINT ex_support_visit_one_at_a_time, NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE app_user NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE login_session NO FORCE ROW LEVEL SECURITY",
            "INSERT INTO tenant (slug, name) VALUES ('northwind', 'Northwind')",
            "INSERT INTO app_user (email, password_hash) VALUES ('kim@portal.example', 'x')",
            "INSERT INTO login_session (token_hash, user_id) SELECT 'x', id FROM app_user",
            add,
            upgrade.END_OVERLAPPING,
            upgrade.ONE_AT_A_TIME,
        ):
            connection.execute(statement)
        left = connection.execute("SELECT count(*), count(ended_at) FROM support_visit").fetchone()
    assert left == (4, 3)


def test_the_numbers_on_the_list_of_partners_lead_through_stepping_in_to_what_they_count(staff, app, partner):
    """A number that needs somebody leads to the thing, and as many rows stand there."""
    with app.app_context(), factories.inside(partner):
        customer = factories.customer(factories.integration(app))
        for _ in range(6):
            factories.payment((factories.invoice(customer), "100.00"))
        ids = db.session.scalars(select(Delivery.id).order_by(Delivery.id)).all()
        old = {"wished_at": clock.now() - timedelta(minutes=40), "next_try_at": None}
        for these, values in ((ids[:3], {"state": "parked"} | old), (ids[3:5], old)):
            db.session.execute(update(Delivery).where(Delivery.id.in_(these)).values(**values))
        attention.open_item(Cause.BAD_RECORD, "invoice", "1", label="Invoice 1", detail="No date.")
        db.session.commit()
    page = staff.get("/staff/partners").text
    numbers = dict(re.findall(r'<a href="([^"]*visit\?to=[^"]*)">(\d+)<', page))
    assert [int(number) for number in numbers.values()] == [1, 2, 3, 1]
    for path, number in numbers.items():
        form = staff.get(path)
        if form.status_code == 200:
            to = re.search(r'name="to"[^>]*value="([^"]*)"', form.text)[1]
            form = staff.post(path.partition("?")[0], data={"reason": REASON, "minutes": "30", "to": to})
        assert form.status_code == 303
        assert rows_behind(staff, form.location) == int(number), path


def test_stepping_in_leads_nowhere_that_the_list_does_not_name(staff):
    answer = staff.post(
        "/staff/partners/northwind/visit",
        data={"reason": REASON, "minutes": "30", "to": "//elsewhere.example"},
    )
    assert answer.location == "/p/northwind/"


def test_a_person_without_a_name_is_shown_the_same_way_everywhere(app, staff, partner):
    """By the e-mail address up to its @: activity, the bar and the settings say one thing."""
    with app.app_context():
        db.session.execute(update(User).values(name=""))
        db.session.commit()
    step_in(staff)
    assert "<strong>kim</strong>" in staff.get("/p/northwind/").text
    activity = staff.get("/p/northwind/activity").text
    assert ">kim" in activity.replace("<span>", "")
    assert "kim@portal.example" not in activity.partition('id="activity"')[2]


def test_staffs_own_pages_say_that_a_visit_runs_and_lead_back_in_and_out(visit, partner):
    inside = visit(partner)
    page = inside.get("/staff/partners").text
    assert f"You are inside {partner.name}" in page
    assert f'href="/p/{partner.slug}/"' in page
    assert 'action="/staff/visit/stop"' in page
    inside.post("/staff/visit/stop")
    assert "You are inside" not in inside.get("/staff/partners").text
