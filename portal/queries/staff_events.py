"""What staff did, in words, newest first."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from portal.access.tenancy import people_scope
from portal.models import StaffEvent
from portal.queries.paging import Key, Page, fetch

SENTENCES = {
    "partner.created": "Partner created, and {owner} invited as its owner",
    "partner.owner_invited": "{email} invited as its owner once more",
    "partner.owner_invitation_revoked": "Invitation of {email} as its owner revoked",
    "partner.disabled": "Partner disabled: {reason}",
    "partner.enabled": "Partner enabled again",
    "partner.exported": "Everything of the partner taken out as a file",
    "partner.erasing": "Erasing of what the books do not need begun",
    "partner.erased": "What the books do not need was erased",
    "visit.started": "Stepped in {mode}: {reason}",
    "visit.stopped": "Visit ended by {ended_by}",
    "staff.invited": "{email} invited to staff",
    "staff.link_sent": "{email} got another link",
    "staff.disabled": "{email} disabled",
    "staff.enabled": "{email} enabled again",
    "staff.made_administrator": "{email} looks after staff now",
    "staff.no_administrator": "{email} no longer looks after staff",
    "factors_reset.agreed": "Made sure that it is {email}, who has lost all second factors: {how}",
    "factors_reset.stopped": "Request of {email}, who had lost all second factors, stopped",
    "mail.sent_again": "Mail {mail_id} sent again",
}


HOW = {"view": "to look", "act": "to act"}


class _Known(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "nobody"


def page(args: Mapping[str, str]) -> Page:
    """One page of events, with their person and partner."""
    query = select(StaffEvent).options(joinedload(StaffEvent.user), joinedload(StaffEvent.partner))
    with people_scope():
        return fetch(query, (Key(StaffEvent.position),), args)


def sentence(event: StaffEvent) -> str:
    told = SENTENCES.get(event.event)
    if told is None:
        return str(event.event).replace("_", " ").replace(".", " ").capitalize()
    details = event.details | {"mode": HOW.get(event.details.get("mode", ""), "")}
    return told.format_map(_Known({name: value or "nobody" for name, value in details.items()}))
