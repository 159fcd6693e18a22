"""Scopes: whose rows a transaction sees, also inside one another, after errors, and on another connection."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import Forbidden, NotFound

from portal.access import belonging, tenancy
from portal.access.actor import Actor, Source
from portal.access.permissions import Permission
from portal.access.tenancy import find_or_404, people_scope, system_scope, tenant_scope
from portal.extensions import db
from portal.models import Customer
from tests import factories

SHOWN = "current_setting('app.tenant_id', true), current_setting('app.scope', true), current_setting('app.key_hash', true)"


@dataclass
class Two:
    """Two partners with a customer each, by their ids."""

    first: int
    second: int
    first_customer: int
    second_customer: int


@pytest.fixture
def two(app: Flask) -> Iterator[Two]:
    with app.app_context():
        first, second = factories.tenant(), factories.tenant()
        ids = []
        for partner in (first, second):
            with factories.inside(partner):
                ids.append(factories.customer(factories.integration(app)).id)
        yield Two(first.id, second.id, *ids)


def shown() -> tuple[str, str, str]:
    """What the open transaction is shown: partner, scope, hash of a key."""
    return tuple(db.session.execute(text(f"SELECT {SHOWN}")).one())


def seen() -> set[int]:
    return set(db.session.scalars(text("SELECT tenant_id FROM customer")))


def test_each_scope_tells_the_database_who_is_meant(two: Two) -> None:
    with tenant_scope(two.first):
        assert shown() == (str(two.first), "", "")
        assert (tenancy.tenant_in_scope(), tenancy.current_tenant_id()) == (two.first, two.first)
        db.session.commit()
        assert shown() == (str(two.first), "", "")
    with system_scope():
        assert shown() == ("", "system", "")
    with people_scope():
        assert shown() == ("", "people", "")
        assert tenancy.tenant_in_scope() is None
    with tenancy.key_scope(b"\x0a\xff"):
        assert shown() == ("", "", "0aff")
    assert shown() == ("", "people", "")


def test_a_scope_inside_another_is_left_to_the_one_around_it_in_one_transaction(two: Two) -> None:
    with tenant_scope(two.first):
        assert seen() == {two.first}
        with tenant_scope(two.second):
            assert seen() == {two.second}
        assert seen() == {two.first}
        with people_scope():
            assert seen() == set()
        assert seen() == {two.first}
    assert seen() == set()


def test_outside_every_partner_there_is_no_partner_to_ask_for() -> None:
    for outside in (tenancy.current_tenant_id, lambda: tenancy.scoped(Customer)):
        with pytest.raises(tenancy.NoTenant, match=r"No partner is in scope\."):
            outside()
    assert tenancy.tenant_in_scope() is None


def test_an_error_inside_takes_back_what_was_written_and_leaves_the_scope(two: Two) -> None:
    def half_done() -> None:
        db.session.execute(text("UPDATE customer SET name = 'Half done'"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), tenant_scope(two.first):
        half_done()
    assert tenancy.tenant_in_scope() is None
    with tenant_scope(two.first):
        assert db.session.scalar(text("SELECT name FROM customer")) != "Half done"


def test_a_transaction_that_failed_keeps_nobody_from_entering_or_leaving_a_scope(two: Two) -> None:
    with tenant_scope(two.first):
        with pytest.raises(DBAPIError):
            db.session.execute(text("SELECT 1 / 0"))
        with tenant_scope(two.second):
            assert seen() == {two.second}
            with pytest.raises(DBAPIError):
                db.session.execute(text("SELECT 1 / 0"))
        assert seen() == {two.first}


def test_a_flush_that_failed_keeps_nobody_from_leaving_a_scope(two: Two) -> None:
    with tenant_scope(two.first):
        with tenant_scope(two.second):
            db.session.add(
                Customer(tenant_id=two.second, name="No such connection", currency="USD", integration_id=0)
            )
            with pytest.raises(DBAPIError):
                db.session.flush()
        assert seen() == {two.first}


def test_a_savepoint_is_inside_the_scope_of_its_transaction(two: Two) -> None:
    with tenant_scope(two.first):
        assert seen() == {two.first}
        db.session.execute(
            text("SELECT set_config('app.tenant_id', :other, true)"), {"other": str(two.second)}
        )
        with db.session.begin_nested():
            assert seen() == {two.second}, "a savepoint sets nothing anew"
        tenancy.show_what_is_in_scope()
        assert seen() == {two.first}


def test_a_transaction_may_leave_the_scope_to_its_first_statement(two: Two) -> None:
    with tenant_scope(two.first):
        db.session.rollback()
        db.engine.dispose()  # a connection keeps what a single statement was shown
        with tenancy.shown_by_its_statement():
            assert not any(shown())
            db.session.rollback()
        assert shown() == (str(two.first), "", "")


def test_another_connection_enters_for_one_transaction(two: Two) -> None:
    with db.engine.connect() as connection:
        tenancy.enter(connection, two.second)
        statement = text("SELECT tenant_id FROM customer")
        assert set(connection.scalars(statement)) == {two.second}
        connection.rollback()
        assert set(connection.scalars(statement)) == set()


def test_a_row_is_found_inside_its_partner_only(two: Two) -> None:
    with tenant_scope(two.first):
        assert find_or_404(Customer, two.first_customer).tenant_id == two.first
        for number in (two.second_customer, 0, -1, 2**63, 2**63 - 1, 2**200):
            with pytest.raises(NotFound):
                find_or_404(Customer, number)


def test_a_row_of_the_first_and_of_the_last_number_is_found(two: Two, superuser) -> None:
    with tenant_scope(two.first):
        for number in (1, 2**63 - 1):
            superuser.execute(
                "INSERT INTO customer (id, tenant_id, name, currency) OVERRIDING SYSTEM VALUE VALUES (%s, %s, 'x', 'USD')"
                " ON CONFLICT DO NOTHING",
                [number, two.first],
            )
            found = superuser.execute("SELECT tenant_id FROM customer WHERE id = %s", [number]).fetchall()
            assert (two.first,) in found
            assert find_or_404(Customer, number).id == number


def acting(person: int | None) -> Actor:
    return Actor(source=Source.COMMAND, user_id=person)


def test_whoever_lets_others_in_belongs_here_still_and_may(app: Flask, two: Two) -> None:
    partner = db.session.get_one(factories.Tenant, two.first)
    owner, reader = factories.member(partner, "owner").id, factories.member(partner, "reader").id
    staff, stranger = factories.user(staff=True).id, factories.user().id
    with tenant_scope(two.first):
        for person in (owner, staff, None):
            belonging.hold(acting(person), Permission.USERS)
        belonging.hold(acting(reader), Permission.VIEW)
        for person in (reader, stranger):
            with pytest.raises(Forbidden):
                belonging.hold(acting(person), Permission.USERS)


def test_a_place_that_is_held_is_not_taken_away_meanwhile(app: Flask, two: Two, superuser) -> None:
    partner = db.session.get_one(factories.Tenant, two.first)
    owner = factories.member(partner, "owner").id
    with tenant_scope(two.first):
        belonging.hold(acting(owner), Permission.USERS)
        superuser.execute("SET lock_timeout = '50ms'")
        with pytest.raises(Exception, match="lock timeout"):
            superuser.execute("DELETE FROM membership WHERE user_id = %s", [owner])
        db.session.rollback()
        superuser.execute("DELETE FROM membership WHERE user_id = %s", [owner])
