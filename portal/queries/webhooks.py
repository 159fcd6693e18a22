"""A partner's webhooks and the messages that went there, as pages show them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import url_for
from sqlalchemy import func, literal, select
from sqlalchemy.orm import contains_eager

from portal import formatters
from portal.access.permissions import Permission, may
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import EndpointState, MessageState, WebhookEndpoint, WebhookMessage
from portal.queries import paging
from portal.webhooks import addresses, endpoints, events, kinds

# Literal, not a parameter: a prepared statement could not tell that the partial index fits.
IS_WAITING = literal(MessageState.WAITING.value, literal_execute=True)
# What a state of a message is called, and the badge that shows it.
STATES = {MessageState.WAITING: "Waiting", MessageState.SENT: "Taken", MessageState.GIVEN_UP: "Given up"}
BADGES = {MessageState.WAITING: "waiting", MessageState.SENT: "sent", MessageState.GIVEN_UP: "refused"}
ENDPOINTS = {
    EndpointState.ON: ("completed", "On"),
    EndpointState.PAUSED: ("paused", "Paused"),
    EndpointState.SWITCHED_OFF: ("failed", "Switched off"),
}
PAGES = {"invoice": ("invoices.show", "invoice_id"), "payment": ("payments.show", "payment_id"),
         "exception": ("exceptions.show", "item_id")}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """One endpoint with how it fares. Its address may open something: only who manages webhooks sees all of it."""

    row: WebhookEndpoint
    waiting: int = 0

    @property
    def address(self) -> str:
        return self.row.url if may(Permission.WEBHOOKS) else addresses.shown(self.row.url)

    @property
    def badge(self) -> tuple[str, str]:
        """Kind and words."""
        if self.row.is_on and self.row.failures:
            return "stale", "Does not answer well"
        return ENDPOINTS[EndpointState(self.row.state)]

    @property
    def sentence(self) -> str:
        row = self.row
        if row.state == EndpointState.SWITCHED_OFF:
            return f"It was switched off on {formatters.instant(row.off_since, with_zone=True)}{self._why}.{self._next}"
        if row.state == EndpointState.PAUSED:
            return f"Nothing is sent since {formatters.instant(row.off_since, with_zone=True)}."
        if row.failures:
            return (
                f"It has taken nothing since {formatters.instant(row.failing_since, with_zone=True)}. The portal goes on "
                "trying, and switches it off after three days."
            )
        return "It takes what is sent." if not self.waiting else "Messages are on their way."

    @property
    def _why(self) -> str:
        if self.row.is_gone:
            return ", because it answered that it takes no messages any more (410)"
        return (
            f", because it took no message since {formatters.instant(self.row.failing_since, with_zone=True)}"
        )

    @property
    def _next(self) -> str:
        todo = " Mend it or change its address, then choose “Test and switch on”."
        return todo if may(Permission.WEBHOOKS) else ""

    @property
    def events(self) -> Sequence[str]:
        return [kinds.words(kind) for kind in self.row.kinds]


@dataclass(frozen=True)
class Filter:
    state: str = ""
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> dict[str, str]:
        return paging.kept(self.args, "state")


@dataclass(frozen=True)
class Detail:
    """One message: what was sent, and what came back at each try."""

    row: WebhookMessage
    told: Told

    @property
    def payload(self) -> str:
        return json.dumps(events.told(self.row.event), indent=2, ensure_ascii=False)

    @property
    def kind(self) -> str:
        return kinds.words(self.row.event.kind)

    @property
    def badge(self) -> tuple[str, str]:
        state = MessageState(self.row.state)
        return BADGES[state], STATES[state]

    @property
    def last(self) -> str:
        """What came of the newest try."""
        return str(self.row.answers[-1]["words"]) if self.row.answers else "Not sent yet."

    @property
    def beside_badge(self) -> str:
        """The same, where the badge does not say it already."""
        return "" if self.row.state == MessageState.SENT else self.last

    @property
    def tries(self) -> Sequence[tuple[datetime, str, str]]:
        """(when, words, the beginning of what was answered), newest first."""
        return [
            (datetime.fromisoformat(one["at"]), one["words"], one["shown"])
            for one in reversed(self.row.answers)
        ]

    @property
    def about(self) -> tuple[str, str, dict[str, int]] | None:
        """(words, endpoint, values) of the page of what it is about."""
        noun = self.row.event.kind.partition(".")[0]
        if noun not in PAGES:
            return None
        page, argument = PAGES[noun]
        number = self.row.event.data.get(noun, {}).get("number")
        words = f"Invoice {number}" if number else f"{noun.capitalize()} {self.row.event.subject_id}"
        return words, page, {argument: self.row.event.subject_id}


def of_partner() -> Sequence[Told]:
    """All endpoints, with how many messages wait, in two statements."""
    waits = _waiting()
    return [Told(row, waits.get(row.id, 0)) for row in endpoints.of_partner()]


def told(row: WebhookEndpoint) -> Told:
    return Told(row, _waiting().get(row.id, 0))


def filter_from(args: Mapping[str, str]) -> Filter:
    """The filter of an address; an unknown word counts as not given."""
    return Filter(args["state"] if args.get("state") in set(MessageState) else "", args)


def messages(row: WebhookEndpoint, chosen: Filter) -> paging.Page:
    """Messages to this endpoint, newest first."""
    statement = (
        select(WebhookMessage)
        .join(WebhookMessage.event)
        .options(contains_eager(WebhookMessage.event))
        .where(WebhookMessage.tenant_id == current_tenant_id(), WebhookMessage.endpoint_id == row.id)
    )
    if chosen.state:
        statement = statement.where(WebhookMessage.state == chosen.state)
    found = paging.fetch(statement, (paging.Key(WebhookMessage.event_id),), chosen.args)
    about = Told(row)
    return paging.Page([Detail(one, about) for one in found.rows], found.newer, found.older)


def tabs(row: WebhookEndpoint, chosen: Filter) -> list[dict[str, Any]]:
    """The ways to messages of each state, for `ui.tabs`."""
    return [
        {
            "label": words,
            "url": url_for("webhooks.show", endpoint_id=row.id, state=state or None),
            "current": state == chosen.state,
        }
        for state, words in (("", "All"), *STATES.items())
    ]


def detail(row: WebhookMessage) -> Detail:
    return Detail(row, Told(row.endpoint))


def _waiting() -> dict[int, int]:
    """By endpoint: how many messages wait. Answered by the index of those alone."""
    query = (
        select(WebhookMessage.endpoint_id, func.count())
        .where(WebhookMessage.tenant_id == current_tenant_id(), WebhookMessage.state == IS_WAITING)
        .group_by(WebhookMessage.endpoint_id)
    )
    return {row[0]: row[1] for row in db.session.execute(query)}
