"""Certificates of PostgreSQL and Redis are verified, unless a switch says that the platform signs its own."""

import socket
import ssl
import threading
from collections.abc import Iterator

import psycopg
import pytest
from flask import Flask
from redis.exceptions import RedisError

from portal import config, queue
from portal.config import ConfigError
from sandbox.faults import certificates
from tests.rules.test_every_setting import GOOD

SSL_REQUEST_BYTES = 8


class Server:
    """Shows a certificate and hangs up; `greeted` counts those who accepted it."""

    def __init__(self, *, postgresql: bool) -> None:
        self.context, self.authority = certificates.context("wrong_host")  # it is other.example's
        self.postgresql, self.greeted = postgresql, 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                self.greet(connection)

    def greet(self, connection: socket.socket) -> None:
        try:
            if self.postgresql:
                connection.recv(SSL_REQUEST_BYTES)
                connection.sendall(b"S")
            with self.context.wrap_socket(connection, server_side=True) as encrypted:
                if encrypted.recv(1):  # only who trusts us sends something
                    self.greeted += 1
        except OSError:
            pass


@pytest.fixture(params=[True, False], ids=["PostgreSQL", "Redis"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    running = Server(postgresql=request.param)
    yield running
    running.listening.close()


def connects(server: Server, **settings: str) -> bool:
    """Whether a client with these settings goes on after it saw the certificate."""
    before = server.greeted
    if server.postgresql:
        url = f"postgresql://portal:s@other.example:{server.port}/portal?hostaddr=127.0.0.1"
        loaded = config.load({**GOOD, "DATABASE_URL": url, **settings})
        with pytest.raises(psycopg.OperationalError):  # it hangs up in any case
            psycopg.connect(loaded["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", ""), connect_timeout=5)
    else:
        app = Flask(__name__)
        app.config.update(
            config.load({**GOOD, "REDIS_URL": f"rediss://127.0.0.1:{server.port}/0", **settings})
        )
        with app.app_context(), pytest.raises(RedisError):
            queue.web_redis().ping()
    return server.greeted > before


def test_a_certificate_that_nobody_known_signed_is_refused(server):
    assert not connects(server)


def test_the_switch_for_self_signed_ones_encrypts_without_verifying(server):
    assert connects(server, DATABASE_TLS="encrypt", REDIS_TLS="encrypt")


def test_a_known_authority_is_not_enough_where_the_name_is_another(server, monkeypatch, tmp_path):
    """Whoever holds any certificate of that authority could stand between."""
    file = tmp_path / "authorities.pem"
    file.write_text(server.authority)
    monkeypatch.setattr("portal.config.values.authorities", lambda: str(file))
    # PostgreSQL is asked for as other.example, Redis as 127.0.0.1.
    assert connects(server) == server.postgresql


@pytest.mark.parametrize(
    ("settings", "mode"),
    [
        ({}, "verify-full"),
        ({"DATABASE_TLS": "encrypt"}, "require"),
        ({"DATABASE_TLS": "off"}, "disable"),
        ({"DATABASE_URL": "postgres://portal@127.0.0.1/portal"}, None),
        ({"DATABASE_URL": "postgres://portal@localhost:5433/portal"}, None),
        ({"DATABASE_URL": "postgres://portal@/portal?host=/var/run/postgresql"}, None),
        ({"DATABASE_URL": "postgres:///portal"}, None),
        ({"DATABASE_URL": "postgres://portal@db.example/portal?sslmode=require"}, "require"),
        ({"DATABASE_URL": "postgres://portal@/portal?host=127.0.0.1&host=db.example"}, "verify-full"),
    ],
)
def test_the_way_to_postgresql_is_verified_unless_it_stays_on_this_machine_or_says_itself(settings, mode):
    url = config.load({**GOOD, **settings})["SQLALCHEMY_DATABASE_URI"]
    assert (f"sslmode={mode}" in url) if mode else ("sslmode" not in url)


def test_a_plain_way_to_a_redis_elsewhere_stops_the_start_unless_the_switch_allows_it():
    elsewhere = {**GOOD, "REDIS_URL": "redis://redis.example:6379/0"}
    with pytest.raises(ConfigError, match=r"REDIS_URL leads to redis\.example without encryption"):
        config.load(elsewhere)
    assert config.load({**elsewhere, "REDIS_TLS": "off"})["REDIS_OPTIONS"] == {}
    for near in ("redis://127.0.0.1:6379/0", "redis://localhost/0", "unix:///run/redis.sock"):
        assert config.load({**GOOD, "REDIS_URL": near})["REDIS_OPTIONS"] == {}


def test_the_authorities_are_a_file_that_exists():
    loaded = config.load(GOOD)["REDIS_OPTIONS"]
    assert ssl.create_default_context(cafile=loaded["ssl_ca_certs"]).get_ca_certs()
