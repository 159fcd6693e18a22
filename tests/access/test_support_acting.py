"""Support acts: only where an owner agreed, for a time, as one of the partner's people, and seen by both sides."""

from datetime import timedelta

import psycopg
import pytest
import time_machine
from sqlalchemy import select

from portal import clock
from portal.access import consent, support_visits
from portal.access.freshness import FRESH
from portal.access.tenancy import scoped, tenant_scope
from portal.extensions import db
from portal.models import AuditEvent, SupportVisit, SyncRun, Tenant, User
from portal.people import partner as partner_settings
from tests import factories
from tests.fixtures.people import start_with_factor_proved, with_factor_proved
from tests.held import free_meanwhile

REASON = "They cannot record a check, caller is Dana"
STEP_IN = "/staff/partners/northwind/visit"
GIVE, TAKE_BACK = (f"/p/northwind/settings/support/consent{end}" for end in ("", "/take-back"))


@pytest.fixture
def partner(app):
    with app.app_context():
        row = factories.tenant("northwind")
        factories.member(row, email="dana@northwind.example", name="Dana Owner")
        factories.member(row, "clerk", email="cleo@northwind.example", name="Cleo Clerk")
        factories.user("kim@portal.example", staff=True, name="Kim Staff")
        with factories.inside(row):
            factories.invoice(factories.customer(factories.integration(app)), "100.00", number="INV-1")
        db.session.refresh(row)
        db.session.expunge(row)
        return row


@pytest.fixture
def owner(app, partner):
    return with_factor_proved(app.test_client(), "dana@northwind.example")


@pytest.fixture
def staff(app, partner):
    return with_factor_proved(app.test_client(), "kim@portal.example")


def one(superuser, query):
    return superuser.execute(query).fetchone()[0]


def step_in(staff, mode="act", **more):
    return staff.post(STEP_IN, data={"reason": REASON, "minutes": "60", "mode": mode, **more})


def pay(browser, superuser):
    data = {
        "customer": one(superuser, "SELECT id FROM customer"), "key": "a-key-of-this-form", "amount": "40.00",
        "paid_on": clock.today("UTC").isoformat(), "method": "check", "reference": "", "note": "",
    }  # fmt: skip
    return browser.post("/p/northwind/payments", data=data)


def test_without_an_owners_agreement_support_only_looks(staff, superuser):
    refused = step_in(staff)
    assert (refused.status_code, "has not agreed" in refused.text) == (422, True)
    assert one(superuser, "SELECT count(*) FROM support_visit") == 0
    assert step_in(staff, "view").status_code == 303


@pytest.mark.parametrize(
    ("hours", "status"), [("1", 303), ("168", 303), ("0", 422), ("169", 422), ("x", 422)]
)
def test_an_owner_agrees_for_an_hour_to_seven_days(owner, superuser, hours, status):
    assert owner.post(GIVE, data={"hours": hours}).status_code == status
    assert one(superuser, "SELECT count(support_act_until) FROM tenant") == (status == 303)


def test_the_database_itself_refuses_an_agreement_beyond_a_week(partner, superuser):
    with pytest.raises(psycopg.errors.CheckViolation):
        superuser.execute(
            "UPDATE tenant SET support_act_given_at = now(), support_act_until = now() + interval '169 hours'"
        )


@pytest.mark.parametrize("role", ["manager", "clerk", "reader"])
def test_nobody_but_an_owner_agrees(app, partner, log_in, superuser, role):
    browser = log_in(partner, role)
    assert [browser.post(path, data={"hours": "4"}).status_code for path in (GIVE, TAKE_BACK)] == [403, 403]
    assert "Owners agree to this" in browser.get("/p/northwind/settings/support").text


def test_the_settings_say_who_agreed_when_and_until_when(owner):
    owner.post(GIVE, data={"hours": "24"})
    page = owner.get("/p/northwind/settings/support").text
    assert all(words in page for words in ("Agreed by", "Dana Owner", "Revoke now", "Delete payments"))


def test_taken_back_acting_ends_at_once_and_looking_goes_on(owner, staff, superuser):
    owner.post(GIVE, data={"hours": "24"})
    assert step_in(staff).status_code == 303
    assert staff.get("/p/northwind/payments/new").status_code == 200
    owner.post(TAKE_BACK)
    assert staff.get("/p/northwind/").status_code == 404
    assert step_in(staff).status_code == 422
    assert step_in(staff, "view").status_code == 303


def test_a_visit_that_began_as_the_agreement_ended_only_looks(owner, staff, superuser):
    """Both happened at the same moment: each request asks again."""
    owner.post(GIVE, data={"hours": "24"})
    step_in(staff)
    superuser.execute("UPDATE tenant SET support_act_until = NULL")
    assert staff.get("/p/northwind/payments/new").status_code == 403
    assert staff.get("/p/northwind/").status_code == 200


def test_a_visit_that_acts_is_over_when_the_agreement_is(owner, staff, superuser):
    owner.post(GIVE, data={"hours": "1"})
    superuser.execute("UPDATE tenant SET support_act_until = now() + interval '10 minutes'")
    with time_machine.travel(clock.now(), tick=False) as travel:
        step_in(staff)
        assert staff.get("/p/northwind/").status_code == 200
        travel.shift(timedelta(minutes=11))
        assert staff.get("/p/northwind/").status_code == 404


def test_stepping_in_asks_for_a_fresh_proof(staff, superuser):
    with time_machine.travel(clock.now(), tick=False) as travel:
        with_factor_proved(staff, "kim@portal.example")
        travel.shift(FRESH + timedelta(seconds=1))
        assert staff.get(STEP_IN).location.startswith("/prove")
        assert step_in(staff, "view").status_code == 403
        assert one(superuser, "SELECT count(*) FROM support_visit") == 0


def test_what_support_does_carries_both_people_wherever_it_is_shown(app, owner, staff, partner, superuser):
    owner.post(GIVE, data={"hours": "4"})
    cleo = one(superuser, "SELECT id FROM app_user WHERE email LIKE 'cleo%'")
    step_in(staff, as_user=str(cleo))
    assert pay(staff, superuser).status_code in (302, 303)
    with app.app_context(), tenant_scope(partner.id):
        event = db.session.scalars(scoped(AuditEvent).where(AuditEvent.event == "payment.recorded")).one()
        people = event.user.name, event.true_user.name
    assert people == ("Cleo Clerk", "Kim Staff")
    both = "Kim Staff (support), as Cleo Clerk"
    payment, invoice = (one(superuser, f"SELECT id FROM {table}") for table in ("payment", "invoice"))
    assert both in owner.get(f"/p/northwind/payments/{payment}").text
    assert both in owner.get(f"/p/northwind/invoices/{invoice}").text
    activity = owner.get("/p/northwind/activity").text
    assert "support, as Cleo Clerk" in activity


def test_a_sync_that_support_started_carries_both_people(app, owner, staff, partner):
    owner.post(GIVE, data={"hours": "4"})
    step_in(staff)
    staff.post("/p/northwind/integrations/autotask/first-sync")
    with app.app_context(), tenant_scope(partner.id):
        run = db.session.scalars(scoped(SyncRun)).one()
    page = owner.get(f"/p/northwind/sync-runs/{run.id}").text
    assert "Dana Owner" in page
    assert "Kim Staff (support)" in page


def test_people_who_are_logged_in_meanwhile_see_that_support_is_here(owner, staff, app):
    assert "Support is here" not in owner.get("/p/northwind/").text
    step_in(staff, "view")
    for path in ("/p/northwind/", "/p/northwind/customers", "/p/northwind/settings"):
        page = owner.get(path).text
        assert "Support is here" in page
        assert "Kim Staff looks at your pages" in page
        assert "End it now" in page
    clerk = with_factor_proved(app.test_client(), "cleo@northwind.example")
    assert "Support is here" in clerk.get("/p/northwind/").text
    assert "End it now" not in clerk.get("/p/northwind/").text
    staff.post("/staff/visit/stop")
    assert "Support is here" not in owner.get("/p/northwind/").text


def test_the_partner_ends_a_visit_and_the_log_says_who_did(app, owner, staff, partner):
    step_in(staff, "view")
    with app.app_context(), tenant_scope(partner.id):
        visit_id = db.session.scalar(select(SupportVisit.id))
    owner.post(f"/p/northwind/support-visits/{visit_id}/stop")
    with app.app_context(), tenant_scope(partner.id):
        event = db.session.scalars(
            scoped(AuditEvent).where(AuditEvent.event == "support_visit.stopped")
        ).one()
        assert event.true_user.name == "Dana Owner"


def test_a_visit_ends_when_the_person_it_acts_as_is_removed(owner, staff, superuser):
    cleo = one(superuser, "SELECT id FROM app_user WHERE email LIKE 'cleo%'")
    step_in(staff, "view", as_user=str(cleo))
    assert staff.get("/p/northwind/").status_code == 200
    superuser.execute("DELETE FROM membership WHERE user_id = %s", (cleo,))
    assert staff.get("/p/northwind/").status_code == 404
    assert one(superuser, "SELECT count(ended_at) FROM support_visit") == 1


def test_nobody_of_another_partner_and_nobody_of_staff_can_be_acted_as(app, staff, superuser):
    with app.app_context():
        other = factories.member(factories.tenant("contoso")).id
    for person in (other, one(superuser, "SELECT id FROM app_user WHERE is_staff"), 0, "x"):
        assert step_in(staff, "view", as_user=str(person)).status_code == 422
    assert one(superuser, "SELECT count(*) FROM support_visit") == 0


def test_the_database_itself_keeps_staff_out_of_every_partner(partner, superuser):
    kim, tenant = one(superuser, "SELECT id FROM app_user WHERE is_staff"), partner.id
    for refused in (
        f"INSERT INTO membership (tenant_id, user_id, role) VALUES ({tenant}, {kim}, 'reader')",
        f"INSERT INTO membership (tenant_id, user_id, role, person_is_staff) VALUES ({tenant}, {kim}, 'reader', true)",
        "UPDATE app_user SET is_staff = true WHERE email LIKE 'dana%'",
    ):
        with pytest.raises((psycopg.errors.ForeignKeyViolation, psycopg.errors.CheckViolation)):
            superuser.execute(refused)


def test_a_disabled_partner_is_looked_at_and_not_worked_in(owner, staff, superuser):
    owner.post(GIVE, data={"hours": "4"})
    superuser.execute("UPDATE tenant SET disabled_at = now(), disabled_reason = 'Unpaid'")
    assert step_in(staff).status_code == 422
    assert step_in(staff, "view").status_code == 303


def test_beside_a_visit_staff_pages_stay_the_staff_persons_own(owner, staff):
    owner.post(GIVE, data={"hours": "4"})
    step_in(staff)
    page = staff.get("/staff/partners")
    assert (page.status_code, 'class="support-bar"' in page.text) == (200, False)
    assert 'class="support-bar"' in staff.get("/p/northwind/").text
    assert "kim@portal.example" in staff.get("/you").text


def test_support_marks_no_notice_as_seen(owner, staff, superuser):
    owner.post(GIVE, data={"hours": "4"})
    step_in(staff)
    assert staff.post("/p/northwind/notices/seen").status_code == 403
    assert one(superuser, "SELECT count(*) FROM notice_choice") == 0


def test_switched_off_support_may_neither_look_nor_act(app, owner, superuser):
    superuser.execute("UPDATE tenant SET support_access = 'off'")
    refused = owner.post(GIVE, data={"hours": "4"})
    assert (refused.status_code, "may not come in at all" in refused.text) == (422, True)
    with app.app_context():
        assert db.session.scalar(select(Tenant.support_act_until)) is None


@pytest.mark.parametrize("end", ["taken back", "switched off", "in the company settings"])
def test_ending_visits_holds_neither_the_log_nor_the_partner_while_it_waits_for_a_visit(
    app, owner, staff, superuser, end
):
    """A support person who stops at that moment holds the visit, and needs both: the other way round both would wait."""
    owner.post(GIVE, data={"hours": "4"})
    step_in(staff)
    number = one(superuser, "SELECT id FROM tenant")
    settings = {"name": "Northwind 2", "default_currency": "USD", "date_format": "day_month_year",
                "number_format": "comma_point", "support_access": "view"}  # fmt: skip

    def work():
        if end == "in the company settings":
            owner.post("/p/northwind/settings/partner", data=settings)
            return
        with tenant_scope(number):
            row = db.session.get_one(Tenant, number)
            if end == "taken back":
                consent.take_back(factories.ACTOR)
            else:
                now = {name: getattr(row, name) for name in partner_settings.FIELDS}
                partner_settings.change(factories.ACTOR, now | {"support_access": "off"})
            db.session.commit()

    held = "SELECT FROM support_visit FOR UPDATE"
    log = f"SELECT pg_advisory_xact_lock(8101, hashtext('{number}'))"
    assert free_meanwhile(app, superuser, held, work, log)
    assert one(superuser, "SELECT count(*) FROM support_visit WHERE ended_at IS NOT NULL") == 1


def test_a_visit_of_a_partner_can_be_written_while_its_settings_are_held(app, owner, staff, superuser):
    owner.post(GIVE, data={"hours": "4"})
    step_in(staff)
    number = one(superuser, "SELECT id FROM tenant")

    def work():
        with tenant_scope(number):
            consent.take_back(factories.ACTOR)
            db.session.commit()

    held, row = "SELECT FROM support_visit FOR UPDATE", "SELECT FROM tenant FOR KEY SHARE"
    assert free_meanwhile(app, superuser, held, work, row)


def test_stepping_in_holds_the_log_of_staff_only_after_that_of_the_partner(app, partner, superuser):
    """A visit left behind elsewhere ends first, in a transaction of its own."""
    with app.app_context():
        other = factories.tenant("contoso")
        factories.member(other)
        kim = db.session.scalars(select(User).where(User.email == "kim@portal.example")).one().id
        here, there = partner.id, other.id
    with app.test_request_context():
        login = start_with_factor_proved(db.session.get_one(User, kim))
        support_visits.begin(login, db.session.get_one(Tenant, there), support_visits.Wish(REASON))
        login.ended_at = clock.now()
        db.session.commit()

    def work():
        with app.test_request_context():
            login = start_with_factor_proved(db.session.get_one(User, kim))
            support_visits.begin(login, db.session.get_one(Tenant, here), support_visits.Wish(REASON))
            db.session.commit()

    held = f"SELECT pg_advisory_xact_lock(8101, hashtext('{here}'))"
    assert free_meanwhile(app, superuser, held, work, "SELECT pg_advisory_xact_lock(8102)")
    assert superuser.execute("SELECT ended_at IS NULL FROM support_visit ORDER BY id").fetchall() == [
        (False,),
        (True,),
    ]
