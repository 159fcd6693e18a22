"""Messages arrive once, signed, in the order of each invoice, whatever the receiver does; it never holds up anything."""

import json
import os
import signal
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask, current_app
from sqlalchemy import select
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug.exceptions import Forbidden

from jobs import tick_jobs
from jobs.due_work import watches
from portal import clock
from portal.extensions import db
from portal.models import Mail, Notice
from portal.notices import sweep
from portal.webhooks import due, endpoints, events, kinds, post, send, settling, signing
from tests import factories
from tests.faults import children
from tests.fixtures.servers import ROOT
from tests.webhooks.conftest import Sender


def told(sender: Sender) -> list[tuple[str, str]]:
    """Kind and number of what came, each verified by the public library."""
    return [
        (one["type"], one["data"].get("invoice", {}).get("number", ""))
        for one in sender.receiver.events(sender.secret)
    ]


def test_what_happened_arrives_signed_in_its_order_and_each_once(sender: Sender, caplog: Any) -> None:
    invoice = sender.bill("N-1")
    factories.payment((invoice, "100.00"))
    assert due.due() == [(sender.partner.id, sender.endpoint_id)]
    assert (send.send_due(), due.due(), sender.drain()) == (3, [], 0)
    assert told(sender)[0] == ("invoice.created", "N-1")
    assert {kind for kind, _ in told(sender)} == {"invoice.created", "payment.recorded", "invoice.paid"}
    assert sender.receiver.ids == [message.event.name for message in sender.messages]
    headers, body = sender.receiver.taken[0]
    assert (headers["host"], headers["content-type"]) == (sender.receiver.authority, "application/json")
    assert json.loads(body) == events.told(sender.messages[0].event)
    with pytest.raises(WebhookVerificationError):
        Webhook(sender.secret).verify(body + b" ", headers)
    assert [(one.state, one.tries, one.answers[0]["shown"]) for one in sender.messages] == [
        ("sent", 1, "ok")
    ] * 3
    lines = " ".join(record.getMessage() for record in caplog.records)
    assert "webhook.sent" in lines
    assert not [one for one in (sender.secret, sender.secret[6:], "from=portal", "N-1") if one in lines]


PROGRAM = """
import os
from wsgi import app
from portal.webhooks import send
print(os.getpid(), flush=True)
with app.app_context():
    send.drain({}, {})
"""


def test_a_process_that_is_killed_after_sending_leaves_the_message_to_be_sent_again_under_its_id(
    sender: Sender, environment: dict[str, str], python: Path
) -> None:
    sender.bill("N-1")
    sender.receiver.go_on.clear()
    command = [str(python), "-c", PROGRAM.format(sender.partner.id, sender.endpoint_id)]
    settings = {**os.environ, "WEBHOOK_TRUSTED_HOSTS": sender.receiver.authority}
    with subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        number = int(process.stdout.readline())
        sender.receiver.says = lambda _: os.kill(number, signal.SIGKILL)
        sender.receiver.go_on.set()
        assert process.wait(timeout=60) == 128 + signal.SIGKILL
    assert [(one.state, one.tries) for one in sender.messages] == [("waiting", 0)]
    assert sender.drain() == 0, "the lease of the dead holds still"
    sender.receiver.says = 200
    sender.run("UPDATE webhook_endpoint SET lease_until = now() - interval '1 second'")
    assert sender.drain() == 1
    assert len(sender.receiver.ids) == 2
    assert len(set(sender.receiver.ids)) == 1
    assert [one.state for one in sender.messages] == ["sent"]


def test_a_message_that_kills_its_sender_three_times_is_given_up_and_the_next_one_goes(
    sender: Sender,
) -> None:
    """It is sent again when a person wishes so."""

    def die() -> None:
        post.post = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
        sender.drain()

    for number in ("N-1", "N-2"):
        sender.bill(number)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    for _ in range(3):
        assert children.start(app, sender.partner.id, die).wait() == -signal.SIGKILL
        sender.run("UPDATE webhook_endpoint SET lease_until = now() - interval '1 second'")
    assert sender.drain() == 1
    killer, other = sender.messages
    assert (killer.state, other.state) == ("given_up", "sent")
    assert killer.answers[-1]["words"].startswith("Three times in a row the portal's own process died")
    send.again(killer)
    db.session.commit()
    assert sender.drain() == 1
    assert [one.state for one in sender.messages] == ["sent", "sent"]


def test_what_was_taken_meanwhile_stays_so_when_a_slow_process_comes_back_with_a_failure(
    sender: Sender,
) -> None:
    sender.bill("N-1")
    claim = send._next(sender.endpoint_id, send._take(sender.endpoint_id))
    assert claim is not None
    sender.run("UPDATE webhook_endpoint SET lease_until = now() - interval '1 second'")
    assert sender.drain() == 1
    last = replace(claim, tries=len(settling.PAUSES))
    assert not settling.settle(last, post.Answer(500, "It answered 500."))
    assert [(one.state, one.tries) for one in sender.messages] == [("sent", 1)]
    assert (sender.endpoint.failures, sender.endpoint.state) == (0, "on")


def test_of_one_invoice_nothing_overtakes_what_waits_and_others_go_on(sender: Sender) -> None:
    first, _ = sender.bill("A"), sender.bill("B")

    def refuse(handler: Any) -> None:
        body = json.loads(sender.receiver.taken[-1][1])
        bad = body["type"] == "invoice.created" and body["data"]["invoice"]["number"] == "A"
        handler.send_response(500 if bad else 204)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    sender.receiver.says = refuse
    first.order_number = "4711"
    db.session.commit()
    assert sender.drain() == 1
    assert sender.endpoint.rests_until > clock.now()
    assert due.due() == []
    sender.rested()
    assert sender.drain() == 1
    assert told(sender)[1:] == [("invoice.created", "B")]
    assert due.due() == [], "what is held back is not asked for again and again"
    sender.receiver.begin_anew()
    sender.all_due()
    assert sender.drain() == 2
    assert told(sender) == [("invoice.created", "A"), ("invoice.changed", "A")]
    assert [one.tries for one in sender.messages] == [2, 1, 1]


def test_what_a_receiver_does_wrong_is_told_and_bounded(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow, dripping, redirecting, answering with a gigabyte, or with something else than HTTP."""
    over, written = threading.Event(), [0]

    def slow(handler: Any) -> None:
        over.wait(10)

    def drip(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.05):
            handler.wfile.write(b"X: y\r\n")

    def redirect(handler: Any) -> None:
        handler.send_response(302)
        handler.send_header("Location", sender.receiver.url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def gigabyte(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(2**30))
        handler.end_headers()
        while written[0] < 2**30:
            written[0] += handler.wfile.write(b"x" * 65536)

    def nonsense(handler: Any) -> None:
        handler.wfile.write(b"220 mail.example ESMTP\r\n\r\n")
        handler.close_connection = True

    def hang_up(handler: Any) -> None:
        handler.close_connection = True

    def blanks(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length:" + b" " * 25 + b"2\r\n\r\nok")
        handler.close_connection = True

    monkeypatch.setattr(post, "ALL_SECONDS", 0.4)
    found = {}
    for does in (slow, drip, redirect, gigabyte, nonsense, blanks, hang_up):
        sender.receiver.says = does
        answer = endpoints.test(sender.receiver.url, [sender.secret])
        found[does.__name__] = (answer.code, answer.is_well)
    over.set()
    assert found == {
        "slow": (None, False), "drip": (None, False), "redirect": (302, False), "gigabyte": (200, True),
        "nonsense": (None, False), "blanks": (200, True), "hang_up": (None, False),
    }  # fmt: skip
    assert len(sender.receiver.taken) == 7, "the redirect was followed"
    assert answer.words == "It closed the connection without an answer."
    plain = endpoints.test(sender.receiver.url.replace("http:", "https:"), [sender.secret])
    assert (plain.code, plain.words) == (None, "It does not speak https as it should.")
    assert written[0] < 2**24
    assert sender.messages == [], "a test is kept nowhere"


def test_pauses_grow_a_message_is_given_up_and_after_an_outage_all_goes_at_once(sender: Sender) -> None:
    sender.bill("N-1")
    sender.receiver.says = 503
    pauses = []
    for _ in settling.PAUSES:
        assert sender.drain() == 1
        pauses.append(sender.messages[0].due_at - clock.now())
        sender.all_due()
    assert pauses == sorted(pauses)
    assert sender.messages[0].answers[-1]["words"] == "It answered 503."
    assert sender.drain() == 1
    assert sender.messages[0].state == "given_up"
    sender.bill("N-2")
    sender.bill("N-3")
    sender.run("UPDATE webhook_message SET due_at = now() + interval '5 hours' WHERE event_id ="
               " (SELECT max(id) FROM event)")  # fmt: skip
    sender.receiver.begin_anew()
    sender.rested()
    assert sender.drain() == 2
    assert [number for _, number in told(sender)] == ["N-2", "N-3"]
    assert sender.endpoint.failures == 0


def test_days_of_failures_switch_it_off_with_one_notice_and_switching_on_makes_up_for_it(
    sender: Sender,
) -> None:
    sender.bill("N-1")
    sender.receiver.says = 500
    sender.run("UPDATE webhook_endpoint SET failing_since = now() - interval '73 hours'")
    assert sender.drain() == 1
    assert sender.endpoint.state == "switched_off"
    sender.run("UPDATE membership SET created_at = now() - interval '2 days'")
    sweep.sweep()
    sweep.sweep()
    [notice] = db.session.scalars(select(Notice).where(Notice.kind == "webhook_off"))
    assert "“ERP” was switched off" in notice.words
    [mail] = db.session.scalars(select(Mail).where(Mail.kind == "webhook_off"))
    assert (mail.to_address, mail.words["reason"]) == ("owner@northwind.example", "It answered 500.")
    sender.bill("N-2")
    assert len(sender.messages) == 1
    endpoints.resume(factories.ACTOR, sender.endpoint_id)
    db.session.commit()
    sender.receiver.begin_anew()
    sender.all_due()
    assert sender.drain() == 2
    assert [number for _, number in told(sender)] == ["N-1", "N-2"]
    sender.receiver.says = 410
    sender.bill("N-3")
    assert (sender.drain(), sender.endpoint.state) == (1, "switched_off"), "gone means gone"
    sweep.sweep()
    [notice] = db.session.scalars(select(Notice).where(Notice.kind == "webhook_off", Notice.id != notice.id))
    assert (
        "it answered that it takes no messages any more (410). Mend it or change its address" in notice.words
    )
    [mail] = db.session.scalars(select(Mail).where(Mail.kind == "webhook_off", Mail.id != mail.id))
    assert mail.words["gone"]


def test_a_replaced_secret_signs_for_another_day(sender: Sender) -> None:
    _, new = endpoints.rotate(factories.ACTOR, sender.endpoint_id)
    db.session.commit()
    sender.bill("N-1")
    sender.drain()
    assert sender.receiver.events(sender.secret) == sender.receiver.events(new) != []
    sender.run("UPDATE webhook_secret SET ends_at = now() WHERE ends_at IS NOT NULL")
    sender.receiver.begin_anew()
    sender.bill("N-2")
    sender.drain()
    assert len(sender.receiver.events(new)) == 1
    with pytest.raises(WebhookVerificationError):
        sender.receiver.events(sender.secret)
    assert signing.key_of(new) != signing.key_of(sender.secret)


def test_a_removed_or_paused_one_hears_nothing_and_a_disabled_partner_sends_nothing(sender: Sender) -> None:
    sender.bill("N-1")
    sender.run("UPDATE tenant SET disabled_at = now()")
    assert due.due() == []
    sender.run("UPDATE tenant SET disabled_at = NULL")
    endpoints.pause(factories.ACTOR, sender.endpoint_id)
    db.session.commit()
    assert (due.due(), sender.drain()) == ([], 0)
    sender.run("UPDATE webhook_endpoint SET lease_token = 'a', lease_until = now() + interval '1 minute'")
    endpoints.remove(factories.ACTOR, sender.endpoint_id)
    db.session.commit()
    assert (signing.open_all(sender.endpoint_id), sender.endpoint.lease_until) == ([], None)
    sender.bill("N-2")
    assert len(sender.messages) == 1
    assert sender.receiver.taken == []


def slower(sender: Sender, database_url: str) -> psycopg.Connection[Any]:
    """A writer inside the partner, whose transaction began now."""
    connection = psycopg.connect(database_url)
    connection.execute("SELECT set_config('app.tenant_id', %s, false)", [str(sender.partner.id)])
    return connection


def test_what_a_transaction_of_before_the_pause_writes_during_it_is_caught_up_with(
    sender: Sender, database_url: str
) -> None:
    row = sender.bill("N-1")
    with slower(sender, database_url) as writer:
        endpoints.pause(factories.ACTOR, sender.endpoint_id)
        db.session.commit()
        writer.execute("UPDATE invoice SET order_number = 'A' WHERE id = %s", [row.id])
    endpoints.resume(factories.ACTOR, sender.endpoint_id)
    db.session.commit()
    assert [one.event.kind for one in sender.messages] == ["invoice.created", "invoice.changed"]


def test_what_was_missed_is_copied_before_writers_of_events_have_to_wait(
    sender: Sender, app: Flask, database_url: str
) -> None:
    endpoints.pause(factories.ACTOR, sender.endpoint_id)
    row = sender.bill("N-1")

    def resume() -> None:
        with app.app_context(), factories.inside(sender.partner):
            endpoints.resume(factories.ACTOR, sender.endpoint_id)
            db.session.commit()

    resumes = threading.Thread(target=resume)
    with slower(sender, database_url) as writer:
        writer.execute(
            "UPDATE invoice SET order_number = 'A' WHERE id = %s", [row.id]
        )  # its trigger holds the endpoint
        resumes.start()
        until = clock.monotonic() + 10
        while not (found := sender.messages) and clock.monotonic() < until:
            db.session.commit()
            time.sleep(0.05)
    resumes.join(30)
    assert [one.event.kind for one in found] == ["invoice.created"]
    db.session.commit()
    assert [one.event.kind for one in sender.messages] == ["invoice.created", "invoice.changed"]
    assert sender.endpoint.state == "on"


def test_nothing_goes_to_the_old_address_once_another_was_saved(sender: Sender, app: Flask) -> None:
    sender.bill("A")
    sender.bill("B")
    kept, paths = sender.endpoint, []
    wanted = endpoints.Wanted(f"{sender.receiver.url}&v=2", "ERP", kinds.OFFERED)

    def change(handler: Any) -> None:
        paths.append(handler.path)
        with app.app_context(), factories.inside(sender.partner):
            endpoints.change(factories.ACTOR, sender.endpoint_id, wanted)
            db.session.commit()
        sender.receiver.says = note
        note(handler, noted=True)

    def note(handler: Any, *, noted: bool = False) -> None:
        paths.extend([] if noted else [handler.path])
        handler.send_response(204)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    sender.receiver.says = change
    assert sender.drain() == 1
    assert sender.drain() == 1
    assert paths == ["/hooks?from=portal", "/hooks?from=portal&v=2"]
    assert kept.url == wanted.url


def test_an_address_that_was_saved_a_moment_ago_is_read_anew_for_each_message(sender: Sender) -> None:
    sender.bill("A")
    kept, token = sender.endpoint, send._take(sender.endpoint_id)
    sender.run("UPDATE webhook_endpoint SET url = url || '&v=2'")
    claim = send._next(sender.endpoint_id, token)
    assert claim is not None
    assert claim.endpoint is kept
    assert claim.endpoint.url == f"{sender.receiver.url}&v=2"


def another(sender: Sender, number: int) -> int:
    wanted = endpoints.Wanted(f"{sender.receiver.url}&v={number}", f"Number {number}", kinds.OFFERED)
    return endpoints.create(factories.ACTOR, wanted, signing.new_secret()).id


def test_an_endpoint_that_answers_slowly_holds_up_no_other_of_its_partner(sender: Sender) -> None:
    second = another(sender, 2)
    sender.bill("N-1")
    sender.run("UPDATE webhook_endpoint SET rests_until = now() - id * interval '1 minute'")
    assert due.due() == [(sender.partner.id, second), (sender.partner.id, sender.endpoint_id)]
    token = send._take(second)
    assert token
    assert send._take(second) == "", "an endpoint gets one message at a time"
    assert due.due() == [(sender.partner.id, sender.endpoint_id)]
    assert sender.drain() == len(sender.receiver.taken) == 1
    send._let_go(second, token)
    assert send.send_due() == 1


def test_of_a_partner_so_many_endpoints_are_served_at_once_the_longest_rested_first(sender: Sender) -> None:
    """So that those that answer slowly leave threads to other partners."""
    ids = [sender.endpoint_id, *(another(sender, number) for number in range(2, due.LANES + 3))]
    sender.bill("N-1")
    sender.run("UPDATE webhook_endpoint SET rests_until = now() - id * interval '1 minute'")
    rested = [(sender.partner.id, one) for one in reversed(ids)]
    assert due.due() == rested[: due.LANES]
    tokens = [send._take(one) for _, one in rested]
    assert [bool(token) for token in tokens] == [True] * due.LANES + [False] * 2
    assert due.due() == []
    send._let_go(rested[0][1], tokens[0])
    assert due.due() == rested[due.LANES : due.LANES + 1]
    (poller,) = [one for one in watches() if one.name == "webhooks"]
    assert poller.threads >= 2 * due.LANES, "another partner's are served beside them"


def test_an_endpoint_that_answers_slowly_gets_one_message_before_others_have_their_turn(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.bill("A")
    sender.bill("B")
    monkeypatch.setattr(send, "SLOW", 0.0)
    assert sender.drain() == 1
    assert (sender.endpoint.lease_token, len(due.due())) == (None, 1)


def test_the_queue_of_syncs_sends_only_where_the_poller_is_silent(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.bill("N-1")
    sender.run("UPDATE webhook_message SET due_at = now() - interval '1 hour'")
    sender.run("UPDATE webhook_endpoint SET rests_until = now() - interval '1 hour'")
    rung: list[Any] = []
    monkeypatch.setattr(tick_jobs, "bell", lambda *call: rung.append(call))
    for silent, bells in ((0, 0), (61, 1)):
        sender.run("DELETE FROM heartbeat")
        beat = "INSERT INTO heartbeat (process, host, beat_at) VALUES ('poller', 'x', now() - :age * interval '1 second')"
        sender.run(beat, age=silent)
        tick_jobs.due_work()
        assert [call[1] for call in rung].count("jobs.webhooks.send_due") == bells


@pytest.mark.parametrize("does", ["change", "pause", "resume", "remove", "rotate"])
def test_a_removed_one_is_changed_no_more_and_who_lost_the_permission_changes_none(
    sender: Sender, does: str
) -> None:
    more = [endpoints.Wanted(f"{sender.receiver.url}&v=2", "ERP", kinds.OFFERED)] if does == "change" else []
    person = factories.member(sender.partner, email="gone@northwind.example")
    actor = replace(factories.ACTOR, user_id=person.id)
    sender.run("DELETE FROM membership WHERE user_id = :id", id=person.id)
    with pytest.raises(Forbidden):
        getattr(endpoints, does)(actor, sender.endpoint_id, *more)
    db.session.rollback()
    endpoints.remove(factories.ACTOR, sender.endpoint_id)
    db.session.commit()
    with pytest.raises(endpoints.Removed, match="“ERP” was removed a moment ago"):
        getattr(endpoints, does)(factories.ACTOR, sender.endpoint_id, *more)
