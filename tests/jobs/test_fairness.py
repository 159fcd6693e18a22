"""One partner's Autotask hangs, floods or answers garbage: the others' work gets its lanes all the same.

Counts, not times. Measured: `python -m bench.fleet --partners 100 --beside hanging`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from flask import Flask

from jobs.due_work import watches
from jobs.poll import Poller
from portal.connect import sync_minutes
from portal.extensions import db
from portal.sync import current_run, runs
from sandbox import Sandbox
from tests import factories
from tests.autotask.fault_server import FaultServer, Script, Wire
from tests.both_sides import sandbox

__all__ = ["sandbox"]
CALM = 3


def hanging(wire: Wire) -> None:
    wire.wait()
    wire.reset()


def flooding(wire: Wire) -> None:
    """An answer without an end."""
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n")
    wire.drip(b'{"items": [', pause=0.05)
    wire.reset()


def garbage(wire: Wire) -> None:
    wire.answer(b"\xff\x00<html>[[[[")


@dataclass
class Partners:
    """`odd` is the one whose Autotask is not well: it has work in every watch, and was there first."""

    odd: int
    calm: list[int]


@pytest.fixture
def partners(app: Flask, sandbox: Sandbox, superuser: psycopg.Connection) -> Callable[[str], Partners]:
    def make(zone_url: str) -> Partners:
        with app.app_context():
            odd = with_work(app, sandbox, zone_url=zone_url)
            superuser.execute("UPDATE delivery SET look_at = now() - interval '1 day'")
            return Partners(odd, [with_work(app, sandbox) for _ in range(CALM)])

    return make


def with_work(app: Flask, at: Sandbox, **values: Any) -> int:
    """A partner with a payment to tell and syncs that wait."""
    partner = factories.tenant()
    with factories.inside(partner):
        integration = factories.connected_to(at, app, totals_mode="without_tax", **values)
        company = at.add_company(companyName="Acme")
        customer = factories.customer(integration, autotask_id=company)
        key = at.add_invoice(companyID=company, invoiceTotal="100.00")
        invoice = factories.invoice(customer, autotask_id=key, number=f"INV-{key}")
        factories.payment((invoice, "100.00"))
        for kind in ("new", "pdfs") if values else ("new",):
            runs.start(integration, kind, "schedule", factories.ACTOR)
        sync_minutes.plan(integration)
        db.session.commit()
        return partner.id


def left(superuser: psycopg.Connection, calm: list[int]) -> int:
    """What is still to be done of the others."""
    statement = """SELECT (SELECT count(*) FROM sync_run WHERE state <> 'completed' AND tenant_id = ANY(%(calm)s))
        + (SELECT count(*) FROM delivery WHERE state <> 'confirmed' AND tenant_id = ANY(%(calm)s))"""
    return int(superuser.execute(statement, {"calm": calm}).fetchone()[0])  # type: ignore[index]


@pytest.mark.parametrize("script", [hanging, flooding, garbage])
def test_others_have_their_lanes_while_one_partners_autotask_is_not_well(
    app: Flask,
    partners: Callable[[str], Partners],
    superuser: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    script: Script,
) -> None:
    """Each round's work is done whole: on a slow machine a run would give way to others and be done a round later."""
    monkeypatch.setattr(current_run, "TURN_SECONDS", 600.0)
    wanted = [one for one in watches() if one.name in ("deliveries", "syncs", "comparisons")]
    for watch in wanted:
        watch.patience = watch.every = 0.0
    poller, rounds = Poller(app, wanted), 0
    with FaultServer(script) as odd_autotask:
        who = partners(odd_autotask.url)
        while left(superuser, who.calm) and rounds < 2 * CALM:
            rounds += 1
            poller.look_around()
            held = [name for name, key in poller.running if key[0] == who.odd]
            assert len(held) == len(set(held)), "one lane of each kind"
            for (_, key), thread in poller.running.items():
                if key[0] != who.odd:
                    thread.join(30)
    for thread in poller.running.values():
        thread.join(30)
    assert left(superuser, who.calm) == 0
    assert rounds <= CALM, "as many as have a lane beside it, round for round"
