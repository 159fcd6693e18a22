"""Mails against a real mail server: what it answers decides, and one mail arrives once."""

import os
import signal
import socket
import threading
import time
import warnings
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from aiosmtpd.smtp import AuthResult
from sqlalchemy import text

from jobs import mail as mail_jobs
from jobs import poll, tick_jobs
from portal import clock, queue
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.mail import outbox, send, smtp
from portal.mail.server import Server
from portal.mail.smtp import Outcome
from portal.models import Mail, MailKind, MailState
from sandbox.faults import certificates
from tests import factories
from tests.mail import written
from tests.mail.post_office import TAKEN, PostOffice, encrypted, opened


@pytest.fixture
def office():
    return PostOffice()


@pytest.fixture
def inside(app, office):
    """The app with an open post office."""
    with app.app_context(), opened(office) as server:
        app.config["MAIL"] = server
        yield app


def waiting(kind=MailKind.INVITATION, **values):
    mail = written.one(kind, **values)
    db.session.commit()
    return mail


def sent(mail) -> Mail:
    """The mail after one try, as the database has it."""
    send.send(mail.tenant_id or 0, mail.id)
    db.session.expire_all()
    return db.session.get_one(Mail, mail.id)


def later(mail) -> None:
    """As if its time had come."""
    db.session.execute(text("UPDATE mail SET due_at = now(), lease_until = now() - interval '1 s'"))
    db.session.commit()
    assert (mail.tenant_id or 0, mail.id) in send.due()


def test_what_is_accepted_is_sent_once_and_its_link_erased(inside, office):
    partner = factories.tenant()
    with tenant_scope(partner.id):
        mail = waiting(to="Person@Example.com")
        assert send.due() == [(partner.id, mail.id)]
        after = sent(mail)
        assert (after.state, after.tries, after.answer, after.lease_token) == ("sent", 1, TAKEN, None)
        assert after.sent_at is not None
        assert outbox.link_of(after) is None
        assert send.due() == []
        assert send.send(partner.id, mail.id) is None
    [arrived] = office.mails
    assert arrived["To"] == "Person@Example.com"
    assert arrived["From"] == "Partner portal <portal@example.com>"
    assert arrived["Message-ID"] == mail.message_id
    assert arrived["Auto-Submitted"] == "auto-generated"
    for part in ("plain", "html"):
        assert f"http://localhost{written.LINK}" in arrived.get_body((part,)).get_content()


def test_letters_of_all_the_world_arrive_as_they_were_written(inside, office):
    sent(waiting(MailKind.INVITATION, inviter="Zoë 日本 🎉", partner="Ü" * 200))
    assert office.mails[0]["Subject"].startswith("Zoë 日本 🎉 invites you to ÜÜÜ")
    assert "Zoë 日本 🎉" in office.mails[0].get_body(("html",)).get_content()


def test_hostile_values_come_into_no_header(inside, office):
    for value in (
        "x\r\nBcc: victim@example.com\r\n\r\nbody",
        "x\n.\nMAIL FROM:<a@b.example>",
        "x" * 3000,
        "\ud800",
    ):
        mail = waiting(MailKind.INVITATION, inviter=value, partner=value)
        assert sent(mail).state == "sent"
    known = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
             "X-Peer", "X-MailFrom", "X-RcptTo"}  # fmt: skip
    assert len(office.mails) == 4
    assert {name for mail in office.mails for name in mail} <= known
    assert {mail["To"] for mail in office.mails} == {"person@example.com"}


@pytest.mark.parametrize("where", ["rcpt", "data"])
def test_a_mail_that_is_refused_for_good_is_not_tried_again(inside, office, where):
    setattr(office, where, ["550 5.1.1 No such user here"])
    mail = sent(waiting())
    assert (mail.state, mail.answer, mail.tries) == ("refused", "550 5.1.1 No such user here", 1)
    assert send.due() == []
    assert office.mails == []


def test_greylisting_lets_the_second_try_in(inside, office):
    office.rcpt = ["451 4.7.1 Greylisted, try again later", "250 OK"]
    mail = sent(waiting())
    assert (mail.state, mail.tries, send.due()) == ("waiting", 1, [])
    assert mail.due_at > clock.now() + timedelta(seconds=50)
    later(mail)
    assert sent(mail).state == "sent"
    assert len(office.mails) == 1


def test_pauses_grow_and_after_three_days_it_is_given_up(inside, office):
    office.rcpt = ["452 4.2.2 Mailbox full"]
    mail, waited = waiting(), []
    for _ in range(len(send.PAUSES)):
        before = clock.now()
        waited.append((sent(mail).due_at - before).total_seconds())
        later(mail)
    assert all(1.3 * after >= before for before, after in pairwise(waited))
    assert 3 * 86400 < sum(waited) < 4 * 86400
    mail = sent(mail)
    assert (mail.state, mail.answer) == ("given_up", "452 4.2.2 Mailbox full")
    assert send.again(mail)
    db.session.commit()
    office.rcpt = ["250 OK"]
    assert sent(mail).state == "sent"


def test_a_login_that_is_refused_refuses_no_mail(app):
    """A password that was changed: all mails wait, none is lost."""
    office = PostOffice()
    with (
        app.app_context(),
        opened(
            office,
            auth_require_tls=False,
            authenticator=lambda *_: AuthResult(success=False, handled=False),
        ) as server,
    ):
        app.config["MAIL"] = replace(server, user="portal", password="old")
        mail = sent(waiting())
    assert mail.state == "waiting"
    assert "login of MAIL_URL" in mail.answer
    assert "old" not in mail.answer


def silent_port():
    listening = socket.create_server(("127.0.0.1", 0))  # takes connections and says nothing
    return listening, Server(
        "127.0.0.1", listening.getsockname()[1], "p@example.com", start_tls=False, seconds=0.2
    )


def test_a_silent_server_is_left_after_its_time(app):
    listening, server = silent_port()
    with listening, app.app_context():
        app.config["MAIL"] = server
        mail = sent(waiting())
    assert (mail.state, mail.answer) == ("waiting", "The mail server did not answer in time.")
    assert mail.lease_until is None


def test_a_server_that_drips_is_left_as_well(app, monkeypatch):
    """Each sign comes in time, the whole never would."""
    monkeypatch.setattr(smtp, "LONGEST_SECONDS", 0.5)
    listening, server = silent_port()

    def drip():
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            for _ in range(200):
                connection.sendall(b"220-wait\r\n")
                time.sleep(0.05)

    threading.Thread(target=drip, daemon=True).start()
    with listening, app.app_context():
        app.config["MAIL"] = server
        assert sent(waiting()).state == "waiting"


def test_a_server_that_is_not_there_is_tried_later(app):
    listening, server = silent_port()
    listening.close()
    with app.app_context():
        app.config["MAIL"] = server
        mail = sent(waiting())
    assert mail.state == "waiting"
    assert "could not be reached" in mail.answer


@pytest.mark.parametrize("way", ["implicit_tls", "start_tls", "not offered"])
def test_without_a_valid_certificate_nothing_is_sent(app, office, way):
    context, _ = certificates.context("wrong_host")
    more = {"ssl_context": context} if way == "implicit_tls" else encrypted(context)
    with app.app_context(), opened(office, **({} if way == "not offered" else more)) as server:
        app.config["MAIL"] = replace(
            server, implicit_tls=way == "implicit_tls", start_tls=way != "implicit_tls", seconds=2.0
        )
        mail = sent(waiting())
    assert mail.state == "waiting"
    assert "encrypted connection" in mail.answer
    assert office.tries == 0


@pytest.mark.parametrize("way", ["implicit_tls", "start_tls"])
def test_with_a_certificate_of_a_known_authority_it_is_sent(app, office, way, monkeypatch, tmp_path):
    context, authority = certificates.context("good")
    (tmp_path / "authority.pem").write_text(authority)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    more = {"ssl_context": context} if way == "implicit_tls" else encrypted(context)
    with app.app_context(), opened(office, **more) as server:
        app.config["MAIL"] = replace(server, implicit_tls=way == "implicit_tls", start_tls=way == "start_tls")
        assert sent(waiting()).state == "sent"


def test_two_senders_at_once_send_once(inside, office):
    mails = [waiting() for _ in range(3)]
    keys = [(0, mail.id) for mail in mails] * 4
    at_once = threading.Barrier(4)

    def work(mine):
        with inside.app_context():
            at_once.wait()
            for key in mine:
                send.send(*key)
            db.session.remove()

    threads = [threading.Thread(target=work, args=(keys[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(mail["Message-ID"] for mail in office.mails) == sorted(mail.message_id for mail in mails)


@contextmanager
def killed(app, owner, name, monkeypatch):
    """A sender of its own that is killed right after `name` of `owner` came back."""
    real = getattr(owner, name)

    def strike(*args, **named):
        result = real(*args, **named)
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    parent = os.getpid()
    monkeypatch.setattr(owner, name, strike)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def fork_and_send(app, mail_id):
    pid = os.fork()
    if pid == 0:
        try:
            with app.app_context():
                db.engine.dispose(close=False)
                send.send(0, mail_id)
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def test_killed_before_it_is_handed_over_it_arrives_once(inside, office, monkeypatch):
    mail = waiting()
    with killed(inside, send, "_claim", monkeypatch):
        fork_and_send(inside, mail.id)
    assert sent(mail).state == "waiting", "its lease is not over"
    later(mail)
    assert sent(mail).state == "sent"
    assert len(office.mails) == 1


def test_killed_between_acceptance_and_commit_both_copies_have_one_id(inside, office, monkeypatch):
    """The one doubtful window of SMTP; receivers drop the second by its Message-ID."""
    mail = waiting()
    with killed(inside, smtp, "deliver", monkeypatch):
        fork_and_send(inside, mail.id)
    assert len(office.mails) == 1
    later(mail)
    after = sent(mail)
    assert (after.state, after.tries) == ("sent", 2)
    assert [one["Message-ID"] for one in office.mails] == [mail.message_id] * 2


def test_a_mail_that_kills_its_sender_three_times_is_given_up_until_a_person_sends_it(
    inside, office, monkeypatch
):
    mail = waiting()
    with monkeypatch.context() as patch, killed(inside, send, "_claim", patch):
        for _ in range(3):
            fork_and_send(inside, mail.id)
            later(mail)
    after = sent(mail)
    assert (after.state, after.tries, after.lease_token) == ("given_up", 3, None)
    assert after.answer.startswith("Three times in a row the portal's own process died")
    assert send.due() == []
    assert send.again(after)
    db.session.commit()
    assert sent(mail).state == "sent"
    assert len(office.mails) == 1


def test_a_late_sender_that_lost_its_lease_changes_nothing_but_an_acceptance(inside, office, monkeypatch):
    """Frozen for longer than its lease, it comes back after another has sent the mail."""
    mail = waiting()
    real = smtp.deliver

    def slow(*args):
        later(mail)
        monkeypatch.setattr(smtp, "deliver", real)
        assert send.send(0, mail.id) == Outcome.SENT
        return smtp.Answer(Outcome.REFUSED, "550 late")

    monkeypatch.setattr(smtp, "deliver", slow)
    after = sent(mail)
    assert (after.state, after.answer) == ("sent", TAKEN)


def test_a_mail_whose_link_ran_out_is_not_sent(inside, office):
    mail = sent(waiting(expires_at=clock.now() - timedelta(seconds=1)))
    assert (mail.state, outbox.link_of(mail)) == ("expired", None)
    assert office.mails == []
    assert not send.again(mail)


def test_mails_kept_without_a_server_do_not_go_out_by_themselves_when_there_is_one(inside, office):
    server, inside.config["MAIL"] = inside.config["MAIL"], None
    mail = waiting()
    assert mail.state == MailState.KEPT
    assert not send.again(mail)
    inside.config["MAIL"] = server
    assert send.due() == []
    assert send.again(mail)
    db.session.commit()
    assert sent(mail).state == "sent"


def test_waiting_mails_are_kept_when_the_server_is_taken_away(inside, office):
    mail = waiting()
    inside.config["MAIL"] = None
    after = sent(mail)
    assert (after.state, after.answer) == ("kept", send.NO_SERVER)


def test_the_poller_and_the_schedulers_bell_find_what_is_due(inside, office, monkeypatch):
    waiting()
    poller = poll.Poller(inside, [one for one in poll.watches() if one.name == "mails"])
    poller.look_around()
    for thread in list(poller.running.values()):
        thread.join(20)
    assert len(office.mails) == 1
    waiting()
    rung = []
    monkeypatch.setattr(tick_jobs, "bell", lambda *call: rung.append(call))
    tick_jobs.due_work()
    assert rung == [(queue.SYNCS, "jobs.mail.send_due")]
    assert mail_jobs.send_due() == 1
    assert len(office.mails) == 2


def test_a_mail_that_cannot_be_drawn_holds_up_no_other(inside, office):
    broken, well = waiting(), waiting()
    broken.kind = "no_such_kind"
    db.session.commit()
    mail_jobs.send_due()
    db.session.expire_all()
    assert (db.session.get_one(Mail, broken.id).answer, db.session.get_one(Mail, well.id).state) == (
        send.INTERNAL, "sent",
    )  # fmt: skip
