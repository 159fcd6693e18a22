"""How often one may try: wrong logins, wrong keys, PDFs; and what of that holds while Redis is away."""

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis as client_of_redis
from flask import Flask
from flask.testing import FlaskClient

from local import redis
from portal import clock
from portal.access import api_keys, devices, logins, sessions
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.mail import outbox
from portal.models import Invoice, Mail
from portal.web import limits
from tests import factories
from tests.fixtures.people import with_factor_proved
from tests.reading import element, value, words_of
from tests.rules.test_every_route import path, routes

DOCUMENTED = Path(__file__).parents[2] / "docs" / "limits.md"
DANA, WRONG = "dana@northwind.example", "not the password"
NEW_PASSWORD = "seven copper lanterns over a harbour"


@pytest.fixture(autouse=True)
def fresh_counters(app: Flask) -> Iterator[None]:
    limits.register(app)
    yield
    limits.register(app)


@pytest.fixture
def dana(app: Flask) -> str:
    with app.app_context():
        factories.member(factories.tenant("northwind"), email=DANA)
        factories.member(factories.tenant("contoso"), email="kim@contoso.example")
    return DANA


def try_login(client: FlaskClient, password: str = WRONG, email: str = DANA, address: str = "10.0.0.1"):
    data = {"email": email, "password": password}
    return client.post("/login", data=data, environ_overrides={"REMOTE_ADDR": address})


def few(monkeypatch: pytest.MonkeyPatch, **tries: int) -> None:
    for name, number in tries.items():
        monkeypatch.setattr(limits, name, getattr(limits, name)._replace(tries=number))


def test_an_account_is_guarded_across_addresses(app, dana, monkeypatch):
    few(monkeypatch, LOGIN_ACCOUNT=3)
    answers = [try_login(app.test_client(), address=f"10.0.0.{n}") for n in range(4)]
    assert [answer.status_code for answer in answers] == [422, 422, 422, 429]
    assert 0 < int(answers[3].headers["Retry-After"]) <= limits.HOUR
    assert "too many wrong passwords" in answers[3].text


def test_strangers_who_fail_for_an_hour_shut_nobody_out_of_a_new_browser(app, dana, monkeypatch):
    """Each minute is a new one, and a try that was refused unread counts nowhere."""
    now = at_a_clock_of_its_own(app, monkeypatch)
    failed = 0
    for minute in range(60):
        now[0] = 60.0 * minute
        for n in range(limits.LOGIN_ACCOUNT.alone):
            failed += not refused(app, f"10.1.{minute}.{n}")
    assert failed > 100
    assert try_login(app.test_client(), factories.PASSWORD, address="10.0.0.9").status_code == 429
    now[0] += 60
    assert try_login(app.test_client(), factories.PASSWORD, address="10.0.0.9").status_code == 303


def test_a_link_by_mail_opens_a_new_browser_whatever_strangers_try(app, dana, monkeypatch):
    """The right person is never kept out by others."""
    few(monkeypatch, LOGIN_ACCOUNT=2)

    def strangers_try() -> None:
        assert [try_login(app.test_client(), address=f"10.0.1.{n}").status_code for n in range(3)][-1] == 429

    strangers_try()
    own = app.test_client()
    refused = try_login(own, factories.PASSWORD, address="10.0.0.9")
    assert (refused.status_code, 0 < int(refused.headers["Retry-After"]) <= 60) == (429, True)
    assert element(refused.text, 'main a[href="/password/forgotten"]')
    assert "have a link sent to your e-mail address, which opens this browser" in words_of(refused.text)
    assert value(refused.text, "email") == DANA
    assert factories.PASSWORD not in refused.text
    own.post("/password/forgotten", data={"email": DANA})
    with app.app_context(), people_scope():
        link = outbox.link_of(db.session.scalars(db.select(Mail).order_by(Mail.id.desc())).first())
    assert own.post(link, data={"password": NEW_PASSWORD}).status_code == 303
    strangers_try()
    assert try_login(own, NEW_PASSWORD, address="10.0.0.9").status_code == 303


@pytest.mark.parametrize(("addresses", "told"), [(1, "40"), (1000, "600")])
def test_the_guesses_that_are_documented_are_those_that_are_possible(app, dana, monkeypatch, addresses, told):
    """An hour of trying as fast as it is allowed, from so many addresses."""
    now = at_a_clock_of_its_own(app, monkeypatch)
    monkeypatch.setattr(sessions, "authenticate", lambda email, password: None)
    for name in ("LOGIN_ACCOUNT_HERE", "LOGIN_ADDRESS", "LOGIN_ACCOUNT"):
        limit = getattr(limits, name)
        monkeypatch.setattr(limits, name, limit._replace(alone=limit.tries))
    guesses, turn = 0, 0
    for minute in range(60):
        now[0] = 60.0 * minute
        for _ in range(limits.LOGIN_ACCOUNT.tries + 1):
            turn += 1
            guesses += not refused(app, f"10.{turn % addresses // 250}.0.{turn % addresses % 250}")
    row = f"| {addresses:,} address{'es' if addresses > 1 else ''} | {told} |"
    assert (guesses, row in DOCUMENTED.read_text()) == (int(told), True)


def refused(app: Flask, address: str) -> bool:
    with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
        try:
            logins.attempt(DANA, WRONG)
        except limits.TooMany:
            return True
    return False


def at_a_clock_of_its_own(app: Flask, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """This process counts alone, at the time that the test sets."""
    now = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    monkeypatch.setattr(app.extensions["limits"], "redis_may_answer", lambda: False)
    return now


def test_an_address_is_guarded_across_accounts(app, dana, monkeypatch):
    few(monkeypatch, LOGIN_ADDRESS=3)
    answers = [try_login(app.test_client(), email=f"nobody-{n}@x.example") for n in range(4)]
    assert [answer.status_code for answer in answers] == [422, 422, 422, 429]
    assert try_login(app.test_client(), factories.PASSWORD, address="10.0.0.2").status_code == 303


def test_a_try_that_was_refused_unread_counts_nowhere_else(app, dana, monkeypatch):
    """Who goes on trying one account uses up nothing of the others behind the same address."""
    few(monkeypatch, LOGIN_ACCOUNT=1, LOGIN_ADDRESS=2)
    seen = [try_login(app.test_client()).status_code for _ in range(4)]
    assert seen == [422, 429, 429, 429]
    assert try_login(app.test_client(), email="kim@contoso.example").status_code == 422


def test_wrong_passkeys_count_for_the_address(app, dana, monkeypatch):
    few(monkeypatch, LOGIN_ADDRESS=2)
    data = {"answer": "{}", "challenge": "forged"}
    assert [app.test_client().post("/login/passkey", data=data).status_code for _ in range(3)] == [
        422,
        422,
        429,
    ]


def test_one_network_of_ipv6_counts_as_one_address(app, dana, monkeypatch):
    few(monkeypatch, LOGIN_ADDRESS=1)
    answers = [try_login(app.test_client(), address=f"2001:db8:1:2::{n}") for n in range(2)]
    assert [answer.status_code for answer in answers] == [422, 429]


def test_a_device_that_logged_in_before_is_never_shut_out_by_others(app, dana, monkeypatch):
    few(monkeypatch, LOGIN_ACCOUNT=2, LOGIN_ADDRESS=2)
    own, stranger = app.test_client(), app.test_client()
    assert try_login(own, factories.PASSWORD).status_code == 303
    assert [try_login(stranger).status_code for _ in range(3)][-1] == 429
    assert try_login(stranger, factories.PASSWORD).status_code == 429
    assert try_login(own, factories.PASSWORD).status_code == 303


def test_a_known_device_has_an_allowance_of_its_own_and_no_more(app, dana, monkeypatch):
    few(monkeypatch, LOGIN_DEVICE=2)
    own = app.test_client()
    try_login(own, factories.PASSWORD)
    assert [try_login(own).status_code for _ in range(3)] == [422, 422, 429]
    assert try_login(own, email="kim@contoso.example").status_code == 422


@pytest.mark.parametrize("forged", ["", "x", "W10.x.y"])
def test_a_forged_device_counts_as_a_stranger(app, dana, monkeypatch, forged):
    few(monkeypatch, LOGIN_ACCOUNT_HERE=1)
    client = app.test_client()
    client.set_cookie("device", forged)
    assert [try_login(client).status_code for _ in range(2)] == [422, 429]


def test_a_new_password_makes_every_device_a_stranger(app, dana):
    with app.app_context():
        user = factories.user("sam@northwind.example")
    with app.test_request_context():
        answer = app.make_response("")
        devices.remember(user, answer)
    sent = answer.headers["Set-Cookie"]
    assert "HttpOnly" in sent
    with app.test_request_context(headers={"Cookie": sent.split(";")[0]}):
        assert devices.known_as(user)
        user.password_hash = "another"
        assert devices.known_as(user) is None


def test_logging_in_does_not_count(app, dana, monkeypatch):
    few(monkeypatch, LOGIN_ACCOUNT_HERE=2, LOGIN_DEVICE=2, LOGIN_ACCOUNT=2, LOGIN_ADDRESS=2)
    assert {try_login(app.test_client(), factories.PASSWORD).status_code for _ in range(4)} == {303}


def test_no_key_in_redis_tells_an_address_or_an_e_mail(app, dana, redis_url):
    try_login(app.test_client())
    keys = client_of_redis.Redis.from_url(redis_url).keys("*")
    assert len([key for key in keys if key.startswith(b"limit:")]) == 3
    assert not [key for key in keys if b"dana" in key or b"10.0" in key]


# Redis away, in each way in which it can be away.


@dataclass
class Store:
    """A Redis of this test's own."""

    server: redis.Redis
    admin: client_of_redis.Redis = field(init=False)
    held: list[client_of_redis.Redis] = field(default_factory=list)
    pid: int = 0

    def __post_init__(self) -> None:
        self.admin = client_of_redis.Redis.from_url(self.server.url())
        self.pid = self.admin.info("server")["process_id"]

    def stop(self) -> None:
        self.server.stop()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def fill(self) -> None:
        self.admin.config_set("maxmemory-policy", "noeviction")
        self.admin.config_set("maxmemory", "1")

    def run_out_of_clients(self) -> None:
        self.admin.config_set("maxclients", "2")
        self.admin.client_kill_filter(_type="normal", skipme=True)
        self.held.append(client_of_redis.Redis.from_url(self.server.url()))
        self.held[0].ping()

    def change_password(self) -> None:
        self.admin.config_set("requirepass", "another")
        self.admin.client_kill_filter(_type="normal", skipme=True)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)
        for one in (self.admin, *self.held):
            one.close()
        self.server.stop()


@pytest.fixture
def store(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(limits, "ASK_REDIS_AGAIN", 3600.0)
    store = Store(redis.start(tmp_path / "redis"))
    app.config["REDIS_URL"] = store.server.url()
    yield store
    store.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which limits were asked of Redis."""
    made: list[str] = []
    real = limits._in_redis

    def note(limit: limits.Limit, key: str, step: int) -> tuple[int, int]:
        made.append(limit.name)
        return real(limit, key, step)

    monkeypatch.setattr(limits, "_in_redis", note)
    return made


@pytest.fixture
def checkout(app: Flask, dana: str) -> Callable[[int], int]:
    """Pays one more cent by the JSON API; the status."""
    with app.app_context(), factories.inside(factories.tenant("fabrikam")):
        invoice = factories.invoice(factories.customer(factories.integration(app))).id
        _, secret = api_keys.create(factories.ACTOR, "Checkout", ["payments.write"])
        db.session.commit()

    def pay(number: int) -> int:
        body = {
            "allocations": [{"invoice_id": invoice, "amount": "0.01"}],
            "paid_on": clock.today("UTC").isoformat(),
            "note": f"{number}",
        }
        headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": f"key-{number}"}
        return app.test_client().post("/api/v1/payments", json=body, headers=headers).status_code

    return pay


@pytest.mark.in_turn(2)
@pytest.mark.parametrize("fault", ["stop", "freeze", "fill", "run_out_of_clients", "change_password"])
def test_while_redis_is_away_logins_are_limited_strictly_and_nothing_else_is(
    app, dana, store, asked, checkout, fault
):
    browser = app.test_client()
    assert try_login(browser, factories.PASSWORD).status_code == 303  # from now on a known browser
    with_factor_proved(browser, DANA)
    getattr(store, fault)()
    asked.clear()
    stranger = app.test_client()
    answers = [try_login(stranger) for _ in range(limits.LOGIN_ACCOUNT_HERE.alone + 1)]
    assert [answer.status_code for answer in answers[:-1]] == [422] * limits.LOGIN_ACCOUNT_HERE.alone
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
    for rule, method in routes(app, partner=True):
        if method == "GET":
            assert browser.get(path(app, rule, "northwind")).status_code in (200, 204, 302, 303, 404), rule
    for name in ("invoices", "payments", "deliveries"):
        assert {browser.get(f"/p/northwind/{name}").status_code for _ in range(4)} == {200}
    assert [checkout(number) for number in range(4)] == [201] * 4
    assert try_login(browser, factories.PASSWORD).status_code == 303
    assert len(asked) == 1  # whoever comes first waits for its time-out, nobody after that


def test_counting_goes_on_in_redis_once_it_is_back(app, dana, store, asked, monkeypatch):
    monkeypatch.setattr(limits, "ASK_REDIS_AGAIN", 0.0)
    store.freeze()
    try_login(app.test_client())
    os.kill(store.pid, signal.SIGCONT)
    try_login(app.test_client())
    assert {store.admin.get(key) for key in store.admin.keys("limit:*")} >= {b"1"}


# What else is limited.


def test_a_pdf_is_fetched_once_while_one_is_under_way_and_a_few_times_an_hour(
    app, log_in, superuser, monkeypatch
):
    monkeypatch.setattr("portal.sync.runs.bell", lambda *_: True)
    few(monkeypatch, PDF_INVOICE=2)
    with app.app_context():
        partner = factories.tenant("northwind")
        with factories.inside(partner):
            number = factories.invoice(factories.customer(factories.integration(app))).id
            assert db.session.get(Invoice, (partner.id, number))
    reader, target = log_in(partner, "reader"), f"/p/northwind/invoices/{number}/pdf"

    def press() -> int:
        reader.post(target)
        return superuser.execute("SELECT count(*) FROM sync_run").fetchone()[0]

    assert [press() for _ in range(5)] == [1] * 5
    end_run = "UPDATE sync_run SET state = 'completed', finished_at = now(), lease_until = NULL"
    superuser.execute(end_run)
    assert press() == 2
    superuser.execute(end_run)
    assert press() == 2
    assert "often enough for now. Try again in" in reader.get(f"/p/northwind/invoices/{number}").text


def test_the_limits_that_are_documented_are_those_in_force():
    table = DOCUMENTED.read_text().split("|---|---|---|")[1]
    told = [
        re.findall(r"\d+", row.split("|", 2)[2])[:1] + re.findall(r"\d+", row)[-1:]
        for row in table.split("\n\n")[0].strip().splitlines()
    ]
    held = [one for one in vars(limits).values() if isinstance(one, limits.Limit)]
    assert told == [[str(one.tries), str(one.alone)] for one in held]
