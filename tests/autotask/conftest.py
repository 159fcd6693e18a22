"""Clients against mocked answers or the fault server."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import responses

from portal.autotask.client import Client, Credentials, Timeouts
from tests.autotask.fault_server import FaultServer, Script

ZONE = "https://webservices5.autotask.net/ATServicesRest/"
V1 = f"{ZONE}V1.0/"
SECRET = "canary-S3cret!"
CODE = "CANARYINTEGRATIONCODE"
SHORT = Timeouts(connect=1, read=0.2, total=0.4)
PATIENT = Timeouts(connect=3, read=5, total=8)


def credentials() -> Credentials:
    return Credentials("key@msp.example", SECRET, CODE)


@pytest.fixture
def autotask() -> Iterator[responses.RequestsMock]:
    """Answers in the place of Autotask's zone 5."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of zone 5 that never really sleeps."""
    with Client(ZONE, credentials(), trusted_hosts=[], sleep=lambda seconds: None) as made:
        yield made


@pytest.fixture
def facing() -> Iterator[Callable[..., tuple[Client, FaultServer]]]:
    """facing(script) -> (client, server): a client that never really sleeps before a scripted server."""
    opened: list[Any] = []

    def start(script: Script, timeouts: Timeouts = PATIENT) -> tuple[Client, FaultServer]:
        server = FaultServer(script)
        made = Client(
            server.url, credentials(), trusted_hosts=[server.address], timeouts=timeouts, sleep=lambda s: None
        )
        opened.extend((server, made))
        return made, server

    yield start
    for thing in opened:
        thing.__exit__(None, None, None)
