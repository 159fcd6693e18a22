"""The test before anything is saved: zone, login, and every right that syncing needs (rule 1.3)."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from portal import clock
from portal.autotask import zones
from portal.autotask.budget import Threshold
from portal.autotask.client import Client, Credentials, Timeouts
from portal.autotask.conditions import any_value, everything
from portal.autotask.errors import AutotaskError, BadRecord, Forbidden, NoAnswer, Unauthorized
from portal.autotask.zones import Zone
from portal.connect import sentences
from portal.connect.currencies import read_currencies
from portal.connect.errors import ConnectRefused
from portal.connect.totals import Sample, read_samples

FEWEST_KNOWN = 3
NEEDED = ("Companies", "Contacts", "Invoices", "BillingItems")
TIMEOUTS = Timeouts(connect=3.0, read=8.0, total=10.0)
WHOLE_TEST_SECONDS = 24.0  # a web request is ended after 30


@dataclass(frozen=True)
class ConnectRequest:
    """What a person typed. Whatever surrounds a pasted key or secret is cut off."""

    email: str
    username: str
    secret: str = field(repr=False)
    identifier: str = "number"
    role: str = "primary"


@dataclass(frozen=True)
class Verified:
    """What the test found; `notes` are sentences about what works less well than it could."""

    zone: Zone
    threshold: Threshold | None = None
    currencies: dict[str, str] | None = None
    samples: list[Sample] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    read_at: datetime = field(default_factory=clock.now)
    calls: int = 0


def check(
    request: ConnectRequest, config: Mapping[str, Any], known: Mapping[int, str] | None = None
) -> Verified:
    """Asks Autotask, saves nothing. Raises ConnectRefused with a sentence for each thing that is wrong.

    The login is tried exactly once: a refused one is never repeated here, because Autotask locks users.
    `known` are names of customers by their Autotask ID, to notice a key of another Autotask.
    """
    if not config["AUTOTASK_INTEGRATION_CODE"]:
        raise ConnectRefused([sentences.NO_CODE])
    zone = _zone(request, config)
    with _client(request, zone, config) as client:
        threshold = _login(client)
        empty = _rights(client)
        _same_autotask(client, known or {})
        return _look_around(client, zone, threshold, empty)


def _zone(request: ConnectRequest, config: Mapping[str, Any]) -> Zone:
    try:
        return zones.discover(
            request.username.strip(),
            discovery_url=config["AUTOTASK_DISCOVERY_URL"],
            trusted_hosts=config["AUTOTASK_TRUSTED_HOSTS"],
            timeouts=TIMEOUTS,
        )
    except AutotaskError as error:
        raise sentences.refusal(error, username=request.username) from error


def _client(request: ConnectRequest, zone: Zone, config: Mapping[str, Any]) -> Client:
    started = clock.monotonic()

    def in_time(_: str) -> AbstractContextManager[None]:
        if clock.monotonic() - started > WHOLE_TEST_SECONDS:
            raise NoAnswer("Autotask did not answer in time.")
        return nullcontext()

    code = config["AUTOTASK_INTEGRATION_CODE"]
    try:
        return Client(
            zone.url,
            Credentials(request.username.strip(), request.secret.strip(), code),
            trusted_hosts=config["AUTOTASK_TRUSTED_HOSTS"],
            gate=in_time,
            timeouts=TIMEOUTS,
        )
    except Unauthorized as error:  # before anything was sent
        raise ConnectRefused([sentences.ODD_CHARACTERS], field="secret") from error


def _login(client: Client) -> Threshold | None:
    try:
        return client.threshold()
    except Forbidden:
        return None  # let in, but not to this figure: the budget stays unknown
    except AutotaskError as error:
        raise sentences.refusal(error, asked="how much of the hourly budget is used") from error


def _rights(client: Client) -> list[str]:
    """The kinds without any record. Raises ConnectRefused naming every right that is lacking."""
    lacking, empty = [], []
    for entity in NEEDED:
        try:
            if not next(client.pages(entity, everything(), page_size=1), []):
                empty.append(entity)
        except Forbidden:
            lacking.append(sentences.no_right(entity))
        except AutotaskError as error:
            raise sentences.refusal(error, asked=sentences.RIGHTS[entity]) from error
    if lacking:
        raise ConnectRefused(lacking)
    return empty


def _same_autotask(client: Client, known: Mapping[int, str]) -> None:
    """Rows are matched by Autotask ID, so a key of another Autotask would mix up two firms' customers."""
    if len(known) < FEWEST_KNOWN:
        return
    try:
        rows = [row for page in client.pages("Companies", any_value("id", known)) for row in page]
    except AutotaskError as error:
        raise sentences.refusal(error, asked="the customers that are known here") from error
    if not any(_same_name(known.get(row["id"], ""), row.get("companyName")) for row in rows):
        raise ConnectRefused([sentences.ANOTHER_AUTOTASK])


def _same_name(ours: str, theirs: object) -> bool:
    return (
        isinstance(theirs, str) and " ".join(theirs.split()).casefold() == " ".join(ours.split()).casefold()
    )


def _look_around(client: Client, zone: Zone, threshold: Threshold | None, empty: list[str]) -> Verified:
    """What is good to know, but no reason to refuse, apart from the right to read PDFs."""
    notes = [sentences.NO_COMPANIES] if "Companies" in empty else []
    try:
        samples = read_samples(client) if "Invoices" not in empty else []
        notes += _pdf(client, samples)
        currencies = read_currencies(client)
    except AutotaskError as error:
        raise sentences.refusal(error, asked="a few invoices with their lines") from error
    return Verified(zone, threshold, currencies, samples, notes, calls=client.calls)


def _pdf(client: Client, samples: list[Sample]) -> list[str]:
    """Reads one PDF, if there is an invoice. One that cannot be made is a note, a missing right a refusal."""
    if not samples:
        return []
    try:
        client.invoice_pdf(samples[-1].autotask_id)
    except Forbidden as error:
        raise ConnectRefused([sentences.no_right("InvoicePdf")]) from error
    except Unauthorized:
        raise
    except (AutotaskError, BadRecord) as error:
        return [sentences.pdf_note(samples[-1].number, error)]
    return []
