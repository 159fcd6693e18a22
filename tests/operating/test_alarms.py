"""The portal watches itself: staff get one mail when a promise is not kept, one when it is again, and see a banner."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from jobs import poll, tick_jobs
from jobs.poll import Poller
from portal.extensions import db
from portal.mail import drawing
from portal.models import Alarm, HealthReading, Heartbeat, Mail
from portal.operating import alarms, history
from portal.operating.ready import READY
from portal.queue.names import PROCESSES
from tests import factories
from tests.fixtures.people import with_factor_proved


@pytest.fixture
def staffed(well):
    """Two of staff, and one who is let in no more."""
    with well.app_context():
        for name in ("ada", "kim", "gone"):
            factories.user(f"{name}@portal.example", staff=True, name=name.title())
        db.session.execute(text("UPDATE app_user SET disabled_at = now() WHERE email LIKE 'gone%'"))
        db.session.commit()
    return well


def minutes(app, number=1, *, silent=()):
    """So many looks, a minute apart; `silent` processes were last heard of long ago."""
    for _ in range(number):
        with app.app_context():
            db.session.execute(update(HealthReading).values(at=HealthReading.at - timedelta(minutes=1)))
            for process in PROCESSES:
                ago = timedelta(minutes=9 if process in silent else 0)
                db.session.execute(
                    update(Heartbeat).where(Heartbeat.process == process).values(beat_at=db.func.now() - ago)
                )
            db.session.commit()
            assert alarms.watch()


def mails(superuser):
    return superuser.execute("SELECT kind, to_address FROM mail ORDER BY id").fetchall()


def open_alarms(app):
    with app.app_context():
        return [alarm.name for alarm in alarms.open_ones()]


TO_BOTH = [("alarm_begun", "ada@portal.example"), ("alarm_begun", "kim@portal.example")]
OVER_TO_BOTH = [("alarm_over", "ada@portal.example"), ("alarm_over", "kim@portal.example")]


def test_a_promise_that_is_not_kept_for_two_minutes_is_told_once_and_once_when_it_is_kept_again(
    staffed, superuser
):
    minutes(staffed, 1, silent=["scheduler"])
    assert mails(superuser) == []
    minutes(staffed, 4, silent=["scheduler"])
    assert mails(superuser) == TO_BOTH
    assert open_alarms(staffed) == ["scheduler"]
    minutes(staffed, 4)
    assert open_alarms(staffed) == ["scheduler"]  # a flicker is no recovery
    minutes(staffed, 1)
    assert open_alarms(staffed) == []
    minutes(staffed, 3)
    assert mails(superuser) == TO_BOTH + OVER_TO_BOTH


def test_what_begins_together_is_one_mail_and_names_all(staffed, superuser):
    minutes(staffed, 2, silent=["scheduler", "worker syncs"])
    assert mails(superuser) == TO_BOTH
    with staffed.app_context():
        mail = db.session.scalars(select(Mail).order_by(Mail.id)).first()
        drawn = drawing.draw(mail, None)
    assert "The worker syncs works: The worker syncs was heard of 54" in drawn.text
    assert "The scheduler works" in drawn.text
    assert "http://localhost/staff/health" in drawn.text


def test_what_is_not_known_because_of_something_else_is_no_alarm_of_its_own(staffed, superuser):
    staffed.config["REDIS_URL"] = "redis://127.0.0.1:9/0"
    minutes(staffed, 3)
    assert open_alarms(staffed) == ["queue"]
    assert mails(superuser) == TO_BOTH


def test_two_who_watch_do_it_once_a_minute(staffed, superuser):
    minutes(staffed, 1)
    with staffed.app_context():
        assert not alarms.watch()
    assert superuser.execute("SELECT count(*) FROM health_reading").fetchone() == (len(READY),)
    superuser.execute("BEGIN; SELECT pg_advisory_lock(8301)")
    with staffed.app_context():
        assert not history.is_due()
    superuser.execute("SELECT pg_advisory_unlock(8301); COMMIT")


def test_the_poller_watches_and_the_bell_does_where_no_poller_is_left(staffed, superuser):
    poller = Poller(staffed, [watch for watch in poll.watches() if watch.name == "health"])
    poller.look_around()
    for thread in poller.running.values():
        thread.join(20)
    count = "SELECT count(*) FROM health_reading"
    assert superuser.execute(count).fetchone() == (len(READY),)
    superuser.execute("DELETE FROM health_reading")
    with staffed.app_context():
        tick_jobs.due_work()
    assert superuser.execute(count).fetchone() == (len(READY),)


def test_staff_see_a_banner_and_a_partners_people_do_not(staffed, log_in):
    minutes(staffed, 2, silent=["scheduler"])
    staff = with_factor_proved(staffed.test_client(), "ada@portal.example")
    for path in ("/staff/partners", "/staff/mails", "/staff/health"):
        assert "Not kept: The scheduler works" in staff.get(path).text
    with staffed.app_context():
        owner = log_in(factories.tenant("northwind"))
    assert "The scheduler works" not in owner.get("/p/northwind/").text
    assert owner.get("/staff/health").status_code == 404


def test_the_page_of_health_tells_now_the_last_hour_and_the_alarms(staffed, superuser):
    staff = with_factor_proved(staffed.test_client(), "ada@portal.example")
    page = staff.get("/staff/health").text
    assert f"All {len(READY)} promises are kept." in page
    assert "Nobody looked in the last hour." in page
    assert "There was no alarm." in page
    minutes(staffed, 3, silent=["scheduler"])
    minutes(staffed, 2)
    page = staff.get("/staff/health").text
    assert "Not well in 3 of 5 looks of the last hour" in page
    assert "Well in all of 5 looks of the last hour" in page
    assert page.count('<g class="bar-risk">') == 3
    assert page.index("Not kept: ") < page.index("Not yet")
    superuser.execute(
        "UPDATE health_reading SET at = at - interval '3 hours'; UPDATE alarm SET ended_at = now()"
    )
    page = staff.get("/staff/health").text
    assert "Nobody looked in the last hour." in page
    assert "Not yet" not in page


def test_minutes_in_which_nobody_looked_are_told_and_drawn_as_bad(staffed, superuser):
    """The poller does the looking: while it is away there are no looks, and that is an outage too."""
    staff = with_factor_proved(staffed.test_client(), "ada@portal.example")
    minutes(staffed, 4)
    superuser.execute("UPDATE health_reading SET at = at - interval '20 minutes'")
    minutes(staffed, 3)
    page = staff.get("/staff/health").text
    assert "Well in all of 7 looks of the last hour. In 20 minutes nobody looked, last at" in page
    assert page.count('<g class="bar-risk">') == 20 * len(READY)
    superuser.execute("UPDATE health_reading SET at = at - interval '70 minutes'")
    page = staff.get("/staff/health").text
    assert "Nobody looked in the last hour." in page
    assert page.count('<g class="bar-risk">') in (59 * len(READY), 60 * len(READY))


def test_what_is_not_kept_stands_first_and_leads_where_it_can_be_seen(staffed, superuser):
    with staffed.app_context(), factories.inside(factories.tenant()):
        factories.payment((factories.invoice(factories.customer(factories.integration(staffed))), "100.00"))
        db.session.commit()
    superuser.execute(
        "UPDATE delivery SET next_try_at = now() - interval '1 hour', wished_at = now() - interval '1 hour'"
    )
    page = with_factor_proved(staffed.test_client(), "ada@portal.example").get("/staff/health").text
    assert f"1 of {len(READY)} promises are not kept." in page
    assert page.index("Payments are told to Autotask") < page.index("The database answers")
    assert 'href="/staff/partners?show=trouble"' in page


def test_an_open_page_of_health_asks_for_itself_again(staffed):
    staff = with_factor_proved(staffed.test_client(), "ada@portal.example")
    page = staff.get("/staff/health").text
    assert 'hx-get="/staff/health" hx-trigger="every 10s' in page
    seen = page.partition('data-seen="')[2].partition('"')[0]
    asking = {"HX-Request": "true", "X-Portal-Poll": "page"}
    minutes(staffed, 2, silent=["scheduler"])
    again = staff.get(f"/staff/health?seen={seen}", headers=asking)
    assert again.status_code == 200
    assert "Not kept: " in again.text
    assert "<html" not in again.text


def test_an_alarm_is_one_line_in_the_log_when_it_begins_and_ends(staffed, caplog):
    caplog.set_level("INFO")
    minutes(staffed, 2, silent=["scheduler"])
    minutes(staffed, 5)
    told = [record.msg["event"] for record in caplog.records if isinstance(record.msg, dict)]
    assert [event for event in told if str(event).startswith("alarm.")] == ["alarm.begun", "alarm.ended"]
    with staffed.app_context():
        assert db.session.scalars(select(Alarm)).one().ended_at is not None
