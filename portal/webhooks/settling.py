"""What becomes of a try: the message is taken, waits longer and longer, or is given up; its endpoint rests or is switched off."""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import func, literal, update
from sqlalchemy.dialects.postgresql import JSONB

from portal import clock, counts
from portal.access.tenancy import current_tenant_id
from portal.extensions import db, rows_written
from portal.logs import after_commit
from portal.models import EndpointState, Event, MessageState, WebhookEndpoint, WebhookMessage
from portal.models.webhook import SWITCHED_OFF_AFTER
from portal.webhooks.post import Answer

log = structlog.get_logger(__name__)
# About three days, as the specification proposes.
PAUSES = [
    *(timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30)),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 18, 24)),
]
# However many wait, an endpoint that does not answer is asked again at this pace.
REST, LONGEST_REST = timedelta(seconds=2), timedelta(minutes=5)
# So many failures in a row were the endpoint's, not one message's.
OUTAGE = 3
OUTCOMES = {MessageState.SENT: "sent", MessageState.GIVEN_UP: "given_up", MessageState.WAITING: "waits"}
KILLED = (
    "Three times in a row the portal's own process died while it was sending this, so it does not try again by itself. "
    "It may have arrived. Send it again, or tell support."
)
EVENTS = {outcome: f"webhook.{outcome}" for outcome in OUTCOMES.values()}


@dataclass(frozen=True)
class Claim:
    """One message in this process's hands."""

    message_id: int
    event: Event
    endpoint: WebhookEndpoint
    tries: int
    token: str


def settle(claim: Claim, answer: Answer) -> bool:
    """Writes down what became of the try; False where the endpoint rests now. Commits, and tells it in one line."""
    number = claim.tries + 1
    kept: dict[str, Any] = {
        "tries": number,
        "answers": WebhookMessage.answers.op("||")(literal([_line(answer)], JSONB)),
    }
    if answer.is_well:
        kept |= {"state": MessageState.SENT, "sent_at": func.clock_timestamp()}
    elif number > len(PAUSES):
        kept |= {"state": MessageState.GIVEN_UP}
    else:
        kept |= {"due_at": func.clock_timestamp() + _pause(number, answer)}
    mine = [WebhookMessage.tenant_id == current_tenant_id(), WebhookMessage.id == claim.message_id]
    if not answer.is_well:  # what was taken meanwhile, by whoever took over, stays so
        mine.append(WebhookMessage.state == MessageState.WAITING)
    db.session.execute(update(WebhookMessage).where(*mine).values(kept))
    goes_on = _note(claim, answer)
    db.session.commit()
    outcome = OUTCOMES[kept.get("state", MessageState.WAITING)]
    counts.add("portal_webhook_sends_total", outcome=outcome)
    log.info(
        EVENTS[outcome], endpoint_id=claim.endpoint.id, event_id=claim.event.id, kind=claim.event.kind,
        tries=number, code=answer.code,
    )  # fmt: skip
    return goes_on


def give_up(message_id: int) -> None:
    """The message is not sent by itself any more. The caller commits."""
    line = literal([_line(Answer(None, KILLED))], JSONB)
    mine = WebhookMessage.tenant_id == current_tenant_id(), WebhookMessage.id == message_id
    values = {"state": MessageState.GIVEN_UP, "answers": WebhookMessage.answers.op("||")(line)}
    db.session.execute(update(WebhookMessage).where(*mine).values(values))
    counts.add("portal_webhook_sends_total", outcome="given_up")
    after_commit.say("webhook.given_up", message_id=message_id)


def _note(claim: Claim, answer: Answer) -> bool:
    """What the try says of the endpoint; True while its next message may go."""
    if answer.is_well:
        if claim.endpoint.failures >= OUTAGE:
            _hurry(claim.endpoint.id)
        return still_ours(claim.endpoint.id, claim.token, failures=0, failing_since=None)
    row = db.session.get_one(
        WebhookEndpoint, (current_tenant_id(), claim.endpoint.id),
        populate_existing=True, with_for_update={"key_share": True},
    )  # fmt: skip
    if row.lease_token != claim.token:
        return False
    now = clock.now()
    row.failures, row.failing_since = row.failures + 1, row.failing_since or now
    row.rests_until = now + max(min(REST * 2 ** min(row.failures - 1, 16), LONGEST_REST), _asked(answer))
    row.lease_token = row.lease_until = None
    if row.is_on and (answer.is_gone or now - row.failing_since >= SWITCHED_OFF_AFTER):
        row.state, row.off_since = EndpointState.SWITCHED_OFF, now
        log.warning("webhook.switched_off", endpoint_id=row.id)
    return False


def _hurry(endpoint_id: int) -> None:
    """After an outage nothing waits for the end of its own pause."""
    waiting = (
        WebhookMessage.tenant_id == current_tenant_id(),
        WebhookMessage.endpoint_id == endpoint_id,
        WebhookMessage.state == MessageState.WAITING,
        WebhookMessage.due_at > func.clock_timestamp(),
    )
    db.session.execute(update(WebhookMessage).where(*waiting).values(due_at=func.clock_timestamp()))


def _line(answer: Answer) -> dict[str, Any]:
    """What is kept of a try."""
    said = {"code": answer.code, "words": answer.words, "shown": answer.shown}
    return {"at": clock.now().isoformat(), **said}


def _asked(answer: Answer) -> timedelta:
    return timedelta(seconds=answer.wait or 0.0)


def _pause(tries: int, answer: Answer) -> timedelta:
    """How long a message waits after so many tries, spread a little so that an outage does not end in one burst."""
    return max(PAUSES[tries - 1] * random.uniform(1.0, 1.2), _asked(answer))  # noqa: S311


def still_ours(endpoint_id: int, token: str, **values: Any) -> bool:
    """Writes this to the endpoint; False where it is off, or another process has taken it over. The caller commits."""
    mine = (
        WebhookEndpoint.tenant_id == current_tenant_id(),
        WebhookEndpoint.id == endpoint_id,
        WebhookEndpoint.lease_token == token,
        WebhookEndpoint.state == EndpointState.ON,
    )
    return bool(rows_written(update(WebhookEndpoint).where(*mine).values(values)))
