"""The staff console: partners in trouble, made and shut; staff people; the log of what staff did."""

import re
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import update
from werkzeug.exceptions import NotFound

from portal import clock
from portal.access import staff_log
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.mail import outbox
from portal.models import Delivery, Integration, Mail, Tenant, User
from portal.queries import partner_health
from tests import factories
from tests.fixtures.form_tokens import STALE
from tests.fixtures.people import with_factor_proved
from tests.reading import value

ADMIN = "ada@portal.example"


@pytest.fixture
def admin(app):
    with app.app_context():
        factories.user(ADMIN, staff=True, staff_admin=True, name="Ada Admin")
    return with_factor_proved(app.test_client(), ADMIN)


@pytest.fixture
def kim(app, admin):
    with app.app_context():
        factories.user("kim@portal.example", staff=True, name="Kim Staff")
    return with_factor_proved(app.test_client(), "kim@portal.example")


def run(app, *words, **more):
    return app.test_cli_runner().invoke(args=words, **more)


def one(superuser, query):
    return superuser.execute(query).fetchone()[0]


def names(page):
    return re.findall(r'<a href="/staff/partners/([\w-]+)">', page.text)


def make(admin, **values):
    data = {"name": "Contoso IT", "slug": "contoso", "time_zone": "Europe/Berlin", "currency": "EUR",
            "owner": "olga@contoso.example"} | values  # fmt: skip
    return admin.post("/staff/partners/new", data=data)


def test_the_list_shows_health_and_who_is_in_trouble_first(app, admin):
    with app.app_context():
        for slug in ("calm", "troubled", "shut"):
            partner = factories.tenant(slug, name=f"The {slug}")
            factories.member(partner)
            with factories.inside(partner):
                integration = factories.integration(app)
                factories.payment((factories.invoice(factories.customer(integration)), "100.00"))
                state = "connected" if slug == "calm" else "needs_reconnecting"
                then = clock.now() - timedelta(minutes=40 if slug == "troubled" else 0)
                db.session.execute(
                    update(Integration).values(
                        state=state, usage_used=7300, usage_limit=10000, usage_read_at=clock.now()
                    )
                )
                db.session.execute(update(Delivery).values(wished_at=then, next_try_at=then))
                db.session.commit()
            if slug == "shut":
                partner.disabled_at, partner.disabled_reason = clock.now(), "Left us"
                db.session.commit()
    page = admin.get("/staff/partners")
    assert names(page) == ["troubled", "calm", "shut"]
    assert "73 %" in page.text
    assert "40 minutes ago" in page.text
    shown = {show: names(admin.get(f"/staff/partners?show={show}")) for show in ("trouble", "disabled", "")}
    assert shown == {"trouble": ["troubled"], "disabled": ["shut"], "": ["troubled", "calm", "shut"]}
    assert names(admin.get("/staff/partners?q=CALM")) == ["calm"]
    assert "There is no partner in this filter" in admin.get("/staff/partners?q=nobody").text
    assert "73 % of the hour" in admin.get("/staff/partners/troubled").text


def test_every_partner_is_on_the_list_however_many_there_are(app, admin, superuser):
    superuser.execute(
        "INSERT INTO tenant (slug, name) SELECT 'p-' || n, 'P ' || n FROM generate_series(1, 120) n"
    )
    assert len(names(admin.get("/staff/partners"))) == 120


def test_a_sync_that_is_late_by_its_promise_is_named(app, admin, superuser):
    with app.app_context():
        partner = factories.tenant("late")
        with factories.inside(partner):
            factories.integration(app)
            db.session.commit()
    superuser.execute(
        "INSERT INTO sync_schedule (tenant_id, integration_id, kind, next_due_at)"
        " SELECT tenant_id, id, 'new', now() FROM integration"
    )
    superuser.execute(
        "INSERT INTO sync_run (tenant_id, integration_id, kind, trigger, state, created_at)"
        " SELECT tenant_id, id, 'new', 'schedule', 'failed', now() - interval '3 hours' FROM integration"
    )
    page = admin.get("/staff/partners?show=trouble").text
    assert "Late: new invoices" in page
    assert "1 has a late sync" in page


def test_one_form_makes_a_partner_and_invites_its_owner(admin, superuser):
    assert make(admin).location == "/staff/partners/contoso"
    assert one(superuser, "SELECT role || ' ' || email FROM invitation") == "owner olga@contoso.example"
    assert one(superuser, "SELECT kind || ' ' || to_address FROM mail") == "invitation olga@contoso.example"
    assert one(superuser, "SELECT time_zone || default_currency FROM tenant") == "Europe/BerlinEUR"
    page = admin.get("/staff/audit").text
    assert "Partner created, and olga@contoso.example invited as its owner" in page
    assert "Ada Admin" in page


def test_the_partners_page_shows_the_owners_invitation_to_resend_or_revoke(admin, superuser):
    make(admin)
    page = admin.get("/staff/partners/contoso").text
    assert "Waits for its first owner." in page
    assert "olga@contoso.example" in page
    again, revoke = (re.search(rf'action="([^"]+/{verb})"', page)[1] for verb in ("send-again", "revoke"))
    before = one(superuser, "SELECT token_hash FROM invitation")
    assert admin.post(again).location == "/staff/partners/contoso#first-owner"
    assert one(superuser, "SELECT token_hash FROM invitation") != before
    assert one(superuser, "SELECT count(*) FROM mail WHERE kind = 'invitation'") == 2
    admin.post(revoke)
    assert one(superuser, "SELECT revoked_at IS NOT NULL FROM invitation") is True
    page = admin.get("/staff/partners/contoso").text
    assert "Nobody is invited, so nobody can log in" in page
    admin.post("/staff/partners/contoso/owner", data={"owner": "dana@contoso.example"})
    assert "dana@contoso.example" in admin.get("/staff/partners/contoso").text
    log = admin.get("/staff/audit").text
    assert "Invitation of olga@contoso.example as its owner revoked" in log
    assert "dana@contoso.example invited as its owner once more" in log


def test_where_there_is_an_owner_staff_invite_nobody(app, admin, superuser):
    make(admin)
    with app.app_context():
        factories.member(db.session.get_one(Tenant, one(superuser, "SELECT id FROM tenant")), "owner")
    invitation = one(superuser, "SELECT id FROM invitation")
    for path in ("", f"/{invitation}/send-again", f"/{invitation}/revoke"):
        admin.post(f"/staff/partners/contoso/owner{path}", data={"owner": "dana@contoso.example"})
        assert "has an owner by now" in admin.get("/staff/partners/contoso").text
    assert one(superuser, "SELECT count(*) FROM invitation WHERE revoked_at IS NULL") == 1


def test_an_address_that_cannot_be_invited_stays_in_the_form_with_what_is_wrong(app, admin, superuser):
    make(admin)
    address = "/staff/partners/contoso/owner"
    with app.app_context():
        factories.user("kim@portal.example", staff=True)
    for typed, token, status, said in (
        ("dana at contoso", {}, 422, "Write an e-mail address"),
        ("", {}, 422, "Write the e-mail address of the owner"),
        ("kim@portal.example", {}, 422, "belongs to support staff"),
        ("dana@contoso.example", {"token": STALE}, 400, "This form was open too long"),
    ):
        answer = admin.post(address, data={"owner": typed}, **token)
        assert (answer.status_code, said in answer.text) == (status, True), (typed, answer.text)
        assert value(answer.text, "owner") == typed
    assert one(superuser, "SELECT count(*) FROM invitation") == 1


def test_an_invitation_of_another_partner_is_not_found(admin, superuser):
    make(admin)
    make(admin, slug="fabrikam", name="Fabrikam", owner="f@fabrikam.example")
    other = one(superuser, "SELECT id FROM invitation WHERE email LIKE 'f@%'")
    for verb in ("send-again", "revoke"):
        assert admin.post(f"/staff/partners/contoso/owner/{other}/{verb}").status_code == 404


def test_stepping_in_where_nobody_is_says_why_and_what_to_do(admin):
    make(admin)
    page = admin.get("/staff/partners/contoso/visit").text
    assert "There is nobody to step in as" in page
    assert 'href="/staff/partners/contoso#first-owner"' in page
    assert 'name="reason"' not in page
    for address in ("/staff/partners/contoso", "/staff/partners"):
        assert "/staff/partners/contoso/visit" not in admin.get(address).text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"slug": "Not OK"}, "lower-case letters"),
        ({"currency": "ZZZ"}, "There is no currency"),
        ({"owner": "nobody"}, "Write an e-mail address"),
        ({"owner": ADMIN}, "belongs to support staff"),
        ({"name": ""}, "Write the name"),
    ],
)
def test_a_partner_that_cannot_be_made_leaves_nothing_behind(admin, superuser, values, said):
    refused = make(admin, **values)
    assert (refused.status_code, said in refused.text) == (422, True)
    counts = "SELECT (SELECT count(*) FROM tenant) + (SELECT count(*) FROM mail) + (SELECT count(*) FROM staff_event)"
    assert one(superuser, counts) == 0


def test_a_disabled_partner_is_shut_and_says_what_it_is_owed_and_comes_back(app, admin, superuser, log_in):
    with app.app_context():
        partner = factories.tenant("northwind")
        with factories.inside(partner):
            factories.payment((factories.invoice(factories.customer(factories.integration(app))), "100.00"))
        owner = log_in(partner)
    assert "1 delivery is owed to Autotask now" in " ".join(
        admin.get("/staff/partners/northwind").text.split()
    )
    assert admin.post("/staff/partners/northwind/disable", data={"reason": ""}).status_code == 422
    admin.post("/staff/partners/northwind/disable", data={"reason": "Contract ended"})
    shut = owner.get("/p/northwind/")
    assert (shut.status_code, "Contract ended. Nothing is lost" in shut.text) == (403, True)
    assert "1 delivery to Autotask wait" in admin.get("/staff/partners/northwind").text
    admin.post("/staff/partners/northwind/enable")
    assert owner.get("/p/northwind/").status_code == 200
    told = superuser.execute("SELECT event FROM staff_event ORDER BY position").fetchall()
    assert [row[0] for row in told] == ["partner.disabled", "partner.enabled"]
    assert one(superuser, "SELECT count(*) FROM delivery") == 1


def test_staff_people_are_for_administrators_alone(app, kim, superuser):
    """The list, and each thing one does there."""
    paths = [
        str(rule).replace("<int:user_id>", "1")
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("staff_people.")
    ]
    assert len(paths) == 7
    for path in paths:
        method = "GET" if path == "/staff/people" else "POST"
        assert kim.open(path, method=method).status_code == 403, path
    assert kim.post("/staff/people", data={"email": "x@portal.example", "name": "X"}).status_code == 403
    assert one(superuser, "SELECT count(*) FROM app_user") == 2


def test_an_invited_staff_person_chooses_a_password_and_needs_a_second_factor(app, admin, superuser):
    admin.post("/staff/people", data={"email": "new@portal.example", "name": "Nina New"})
    assert "Asked for at the next login" in admin.get("/staff/people").text
    with app.app_context(), people_scope():
        link = outbox.link_of(db.session.scalars(db.select(Mail)).one())
    browser = app.test_client()
    assert "Choose your password" in browser.get(link).text
    assert browser.post(link, data={"password": "seven words that go nowhere"}).status_code == 303
    assert "Your login is ready" in browser.get("/login").text
    browser.post("/login", data={"email": "new@portal.example", "password": "seven words that go nowhere"})
    assert browser.get("/staff/partners").location.startswith("/you/factors")
    row = superuser.execute("SELECT is_staff, staff_admin FROM app_user WHERE email LIKE 'new%'").fetchone()
    assert row == (True, False)


def test_a_disabled_staff_person_is_out_at_once_and_so_is_their_visit(app, admin, kim, superuser):
    with app.app_context():
        factories.member(factories.tenant("northwind"))
    kim.post("/staff/partners/northwind/visit", data={"reason": "They asked for help", "minutes": "30"})
    kims = one(superuser, "SELECT id FROM app_user WHERE email LIKE 'kim%'")
    admin.post(f"/staff/people/{kims}/disable")
    assert kim.get("/staff/partners").status_code == 303
    assert one(superuser, "SELECT count(*) FROM support_visit WHERE ended_at IS NULL") == 0
    admin.post(f"/staff/people/{kims}/enable")
    assert one(superuser, "SELECT count(*) FROM app_user WHERE disabled_at IS NOT NULL") == 0


def test_there_is_always_an_administrator(admin, kim, superuser):
    adas, kims = (
        one(superuser, f"SELECT id FROM app_user WHERE email LIKE '{who}%'") for who in ("ada", "kim")
    )
    for what in ("disable", "no-administrator"):
        admin.post(f"/staff/people/{adas}/{what}")
    assert one(superuser, "SELECT count(*) FROM app_user WHERE staff_admin AND disabled_at IS NULL") == 1
    admin.post(f"/staff/people/{kims}/administrator")
    assert kim.get("/staff/people").status_code == 200
    kim.post(f"/staff/people/{adas}/no-administrator")
    assert admin.get("/staff/people").status_code == 403


def test_a_partners_person_is_touched_by_none_of_it(app, admin, superuser):
    with app.app_context():
        person = factories.member(factories.tenant("northwind")).id
    for what in ("disable", "administrator", "send-again"):
        admin.post(f"/staff/people/{person}/{what}")
    untouched = (
        f"SELECT count(*) FROM app_user WHERE id = {person} AND disabled_at IS NULL AND NOT staff_admin"
    )
    assert one(superuser, untouched) == 1
    with pytest.raises(psycopg.errors.CheckViolation):
        superuser.execute(f"UPDATE app_user SET staff_admin = true WHERE id = {person}")


def test_the_log_of_staff_refuses_changes_and_tells_what_got_past_it(app, admin, kim, superuser):
    make(admin)
    with app.app_context():
        factories.member(factories.tenant("northwind"))
    kim.post("/staff/partners/northwind/visit", data={"reason": "They asked for help", "minutes": "30"})
    kim.post("/staff/visit/stop")
    rows = superuser.execute("SELECT event FROM staff_event ORDER BY position").fetchall()
    assert [row[0] for row in rows] == ["partner.created", "visit.started", "visit.stopped"]
    position, hash_ = superuser.execute(
        "SELECT position, hash FROM staff_event ORDER BY 1 DESC LIMIT 1"
    ).fetchone()
    head = f"{position}:{bytes(hash_).hex()}"
    with app.app_context():
        assert staff_log.verdict(head).broken_at is None
    for change in (
        "UPDATE staff_event SET event = 'x'",
        "DELETE FROM staff_event",
        "TRUNCATE staff_event",
    ):
        with pytest.raises(psycopg.errors.RaiseException):
            superuser.execute(change)
    superuser.execute("SET session_replication_role = replica")
    superuser.execute("DELETE FROM staff_event WHERE position = 3")
    with app.app_context():
        assert (staff_log.verdict().broken_at, staff_log.verdict(head).broken_at) == (3, 3)
    superuser.execute("UPDATE staff_event SET details = '{}' WHERE position = 1")
    with app.app_context():
        assert staff_log.verdict().broken_at == 1
    broken = run(app, "partners", "verify-staff-log")
    assert broken.exit_code == 1


def test_the_first_staff_person_of_the_command_line_looks_after_the_others(app, superuser):
    for email in ("first@portal.example", "second@portal.example"):
        made = run(app, "users", "create", email, "--staff", input="seven words that go nowhere\n")
        assert made.exit_code == 0, made.output
    with app.app_context(), people_scope():
        admins = db.session.scalars(db.select(User.email).where(User.staff_admin)).all()
    assert admins == ["first@portal.example"]


def test_the_page_of_one_partner_reads_that_partner_and_says_what_the_list_says(app, admin, monkeypatch):
    with app.app_context():
        for slug in ("calm", "troubled", "quiet"):
            with factories.inside(factories.tenant(slug)):
                factories.payment(
                    (factories.invoice(factories.customer(factories.integration(app))), "100.00")
                )
                then = clock.now() - timedelta(minutes=40)
                db.session.execute(update(Delivery).values(wished_at=then, next_try_at=then))
                db.session.commit()
    read, health = [], partner_health._health
    with app.app_context():
        listed = {found.partner.slug: found for found in partner_health.all_partners()}
        monkeypatch.setattr(
            partner_health, "_health", lambda rows, late: read.append(rows[0].slug) or health(rows, late)
        )
        assert partner_health.one("troubled") == listed["troubled"]
        with pytest.raises(NotFound):
            partner_health.one("nobody")
    assert read == ["troubled"]
    assert listed["troubled"].needs.deliveries == 1
