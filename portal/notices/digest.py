"""The week in numbers, for owners, once a week from Monday morning in the partner's zone."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, func, select, text

from portal import clock, formatters
from portal.access.tenancy import current_tenant_id, system_scope
from portal.extensions import db
from portal.models import ExceptionItem, ExceptionState, MailKind, NoticeKind, Payment, Tenant
from portal.notices import telling
from portal.notices.telling import Words
from portal.queries import home

FROM_HOUR = 7
CANDIDATES = """
    SELECT t.id, t.time_zone, t.created_at, (SELECT max(n.created_at) FROM notice_standing n
        WHERE n.tenant_id = t.id AND n.kind = 'digest') AS told_at
    FROM tenant t WHERE t.disabled_at IS NULL"""
# A partner is told of its first week where it was here for half of it.
HALF = timedelta(days=3)


def to_tell() -> list[int]:
    """Partners whose week is over and untold."""
    with system_scope():
        rows = db.session.execute(text(CANDIDATES)).all()
        db.session.commit()
    return [row.id for row in rows if _is_time(clock.now().astimezone(ZoneInfo(row.time_zone)), row)]


def tell(partner: Tenant) -> None:
    """Inside the partner. The caller commits; safe to run twice: the week is the cause."""
    today = clock.today(partner.time_zone)
    monday = today - timedelta(days=today.weekday() + 7)
    period = f"{formatters.day(monday)} to {formatters.day(monday + timedelta(days=6))}"
    collected, exceptions = _collected(monday), _exceptions()
    values = {
        "period": period,
        "collected": [formatters.money(amount, currency) for currency, amount in collected] or ["nothing"],
        "outstanding": _outstanding(today) or ["nothing"],
        "exceptions": exceptions,
        "choice_path": telling.page("notices.index", partner_slug=partner.slug),
    }
    said = f"Week of {period}: collected {', '.join(values['collected'])}; outstanding {', '.join(values['outstanding'])}."
    path = telling.page("home.show", partner_slug=partner.slug)
    year, week, _ = monday.isocalendar()
    telling.tell(NoticeKind.DIGEST, f"{year}-W{week:02}", Words(said, path, MailKind.DIGEST, values))


def _is_time(there: datetime, partner: Row[Any]) -> bool:
    """Whether the week that ended on Sunday, in the partner's zone, was not told yet."""
    monday = datetime.combine(there.date() - timedelta(days=there.weekday()), time(), there.tzinfo)
    was_told = partner.told_at is not None and partner.told_at >= monday
    return (
        not was_told and partner.created_at < monday - HALF and there >= monday + timedelta(hours=FROM_HOUR)
    )


def _collected(monday: date) -> list[tuple[str, Decimal]]:
    rows = db.session.execute(
        select(Payment.currency, func.sum(Payment.amount))
        .where(
            Payment.tenant_id == current_tenant_id(),
            Payment.deleted_at.is_(None),
            Payment.paid_on >= monday,
            Payment.paid_on < monday + timedelta(days=7),
        )
        .group_by(Payment.currency)
        .order_by(Payment.currency)
    )
    return [(currency, amount) for currency, amount in rows]


def _outstanding(today: date) -> list[str]:
    return [
        f"{formatters.money(one.outstanding, one.currency)} on {formatters.plural(one.invoices, 'invoice')}"
        for one in sorted(home.figures(today), key=lambda one: one.currency)
        if one.invoices
    ]


def _exceptions() -> str:
    number = db.session.scalar(
        select(func.count())
        .select_from(ExceptionItem)
        .where(ExceptionItem.tenant_id == current_tenant_id(), ExceptionItem.state == ExceptionState.OPEN)
    )
    return formatters.plural(number or 0, "exception")
