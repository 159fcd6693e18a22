"""A new person, key or factor: told to the owners, because who can come in is theirs to know."""

from datetime import datetime

from sqlalchemy import select, text

from portal.access.tenancy import current_tenant_id, find_or_404, system_scope
from portal.extensions import db
from portal.models import ApiKey, MailKind, Membership, NoticeKind, Tenant, User
from portal.notices import telling
from portal.notices.telling import Words

NEW_PEOPLE = """
    SELECT m.tenant_id, m.id FROM membership m
    LEFT JOIN notice_standing n ON n.tenant_id = m.tenant_id AND n.kind = 'people' AND n.cause = 'membership/' || m.id
    WHERE m.created_at > now() - interval '1 day' AND n.id IS NULL ORDER BY m.id"""

TALK_FIRST = (
    "Talk to them first, by phone or in person: whoever stole the password would ask in the same way. Then say "
    "that it is them, or stop the request. Until then they cannot log in."
)


def to_tell() -> list[tuple[int, int]]:
    """(tenant id, membership id) of people who were added within a day and of whom nobody was told."""
    with system_scope():
        found = [(row.tenant_id, row.id) for row in db.session.execute(text(NEW_PEOPLE))]
        db.session.commit()
    return found


def tell_person(member_id: int, partner: Tenant) -> None:
    """Inside the partner. The caller commits."""
    member = find_or_404(Membership, member_id)
    what = f"{member.user.label} ({member.user.email}) was added as {member.role}"
    _tell(f"membership/{member.id}", what, member.created_at, partner, not_to=[member.user_id])


def tell_key(key: ApiKey, by: User | None) -> None:
    """In the transaction that makes the key, inside its partner."""
    what = f"The API key “{key.name}” was made" + (f" by {by.label}" if by else "")
    _tell(f"api_key/{key.id}", what, key.created_at, db.session.get_one(Tenant, key.tenant_id))


def tell_factor(factor_id: int, person: User, kind: str, at: datetime) -> None:
    """In the transaction that adds a second factor (`kind` in words), inside each of the person's partners."""
    what = f"{person.label} set up a second factor: {kind}"
    partner = db.session.get_one(Tenant, current_tenant_id())
    _tell(f"factor/{factor_id}", what, at, partner, not_to=[person.id])


def tell_lost_factors(reset_id: int, person: User, at: datetime) -> None:
    """In the transaction that asks, inside each of the person's partners: an owner has to make sure that it is them."""
    partner = db.session.get_one(Tenant, current_tenant_id())
    mine = Membership.tenant_id == partner.id, Membership.user_id == person.id
    member_id = db.session.scalar(select(Membership.id).where(*mine))
    path = telling.page("member_factors.show", partner_slug=partner.slug, member_id=member_id)
    what = f"{person.label} has lost all second factors and waits for an owner who makes sure that it is them"
    _tell(f"factor_reset/{reset_id}", what, at, partner, not_to=[person.id], path=path, todo=TALK_FIRST)


def _tell(
    cause: str,
    what: str,
    at: datetime,
    partner: Tenant,
    not_to: list[int] | None = None,
    path: str = "",
    **more: str,
) -> None:
    path = path or telling.page("people.index", partner_slug=partner.slug)
    words = Words(f"{what}.", path, MailKind.PEOPLE_EVENT, {"what": what, "at": at, **more})
    telling.tell(NoticeKind.PEOPLE, cause, words, not_to=not_to or ())
