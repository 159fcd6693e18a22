"""The left navigation: only pages that exist, in their order, with the page at hand marked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from flask import Flask, current_app, g, request, url_for
from werkzeug.routing import BuildError

from portal.models import Tenant

MOST_PARTNERS = 12


class Entry(NamedTuple):
    label: str
    endpoint: str
    icon: str
    also: tuple[str, ...] = ()  # other blueprints whose pages lie under this entry
    counted: tuple[str, str] = ("", "")  # where the rows of its count stand: an endpoint, and what it shows


@dataclass(frozen=True)
class Item:
    label: str
    url: str
    icon: str
    current: bool
    count: int
    count_url: str | None  # the list whose rows are counted


PARTNER = (
    Entry("Home", "home.show", "home"),
    Entry("Invoices", "invoices.index", "file-invoice", ("missing", "invoice_edits", "imports", "uploads")),
    Entry("Customers", "customers.index", "users", ("customer_edits",)),
    Entry(
        "Payments",
        "payments.index",
        "cash",
        ("deliveries", "payment_uploads", "credits"),
        ("deliveries.index", "needs"),
    ),
    Entry("Reconciliation", "reconciliation.show", "scale"),
    Entry("Exceptions", "exceptions.index", "alert-triangle", counted=("exceptions.index", "")),
    Entry(
        "Integrations",
        "integrations.index",
        "plug-connected",
        ("sync_runs", "filters", "preferences", "matching"),
    ),
    Entry("Activity", "activity.index", "history"),
    Entry(
        "Settings",
        "settings.show",
        "settings",
        (
            "people",
            "member_factors",
            "partner_settings",
            "logo",
            "notices",
            "support_consent",
            "webhooks",
            "webhook_messages",
        ),
    ),
)
STAFF = (
    Entry("Partners", "staff_partners.index", "building", ("support_visits", "staff_owners")),
    Entry("Health", "staff_health.show", "heartbeat"),
    Entry("Audit", "staff_audit.index", "shield-check"),
    Entry("Mails", "staff_mails.index", "mail"),
    Entry("Lost factors", "lost_factors.index", "key"),
    Entry("Staff", "staff_people.index", "users"),
)


def register(app: Flask) -> None:
    """Give templates the navigations and `link_to`."""
    app.jinja_env.globals.update(
        partner_navigation=partner_navigation,
        own_navigation=own_navigation,
        staff_navigation=staff_navigation,
        link_to=link_to,
    )


def partner_navigation(partner_slug: str, counts: Mapping[str, int] | None = None) -> list[Item]:
    """A partner's entries; `counts` by blueprint name, such as {"exceptions": 3}."""
    return _items(PARTNER, counts or {}, partner_slug=partner_slug)


def own_navigation(partners: Sequence[Tenant]) -> list[Item]:
    """On pages that belong to no partner: the entries of a person's only partner, or the way to each of several."""
    if len(partners) == 1:
        return partner_navigation(partners[0].slug)
    homes = [
        (one.name, link_to("home.show", partner_slug=one.slug), "building")
        for one in partners[:MOST_PARTNERS]
    ]
    ways = [*homes, ("Your partners", link_to("partners.index"), "list-check")]
    return [Item(label, url, icon, False, 0, None) for label, url, icon in ways if url]


def staff_navigation(counts: Mapping[str, int] | None = None) -> list[Item]:
    """The entries of staff; staff people are looked after by administrators alone."""
    entries = STAFF if g.true_user.staff_admin else STAFF[:-1]
    return _items(entries, counts or {})


def link_to(endpoint: str, **values: Any) -> str | None:
    """The address of a page, or None where no such page is registered, so that nothing links to nowhere."""
    if endpoint not in current_app.view_functions:
        return None
    try:
        return url_for(endpoint, **values)
    except BuildError:
        return None


def _items(entries: tuple[Entry, ...], counts: Mapping[str, int], **values: Any) -> list[Item]:
    found = []
    for entry in entries:
        if url := link_to(entry.endpoint, **values):
            noun = entry.endpoint.partition(".")[0]
            current = request.blueprint in (noun, *entry.also)
            endpoint, show = entry.counted
            count_url = link_to(endpoint, show=show or None, **values) if endpoint else None
            found.append(Item(entry.label, url, entry.icon, current, counts.get(noun, 0), count_url))
    return found
