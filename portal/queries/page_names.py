"""What each of a partner's pages is called, for those who read what support opened."""

from flask import current_app
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

NAMES = {
    "home.show": "Home",
    "activity.index": "Activity",
    "activity.export": "Activity as a file",
    "activity.visits": "Support visits",
    "activity.visit": "A support visit",
    "credits.new": "Apply a credit",
    "customer_edits.edit": "Change a customer",
    "customer_edits.confirm_archive": "Archive a customer",
    "customer_edits.new": "Add a customer",
    "customers.index": "Customers",
    "customers.show": "A customer",
    "customers.contacts": "A customer's contacts",
    "customers.history": "A customer's history",
    "deliveries.index": "Deliveries",
    "deliveries.show": "A delivery",
    "exceptions.index": "Exceptions",
    "exceptions.show": "An exception",
    "files.customers": "Customers as a file",
    "files.deliveries": "Deliveries as a file",
    "files.exceptions": "Exceptions as a file",
    "files.payments": "Payments as a file",
    "filters.show": "Manage filters",
    "imports.index": "Imports",
    "imports.show": "An import",
    "uploads.ask_undo": "Undo an upload",
    "uploads.columns": "Columns of an uploaded file",
    "uploads.new": "Upload customers or invoices",
    "uploads.refused": "Refused rows of an upload, as a file",
    "uploads.show": "An uploaded file",
    "integrations.index": "Integrations",
    "integrations.show": "Autotask",
    "integrations.new": "Connect Autotask",
    "integrations.edit": "Edit credentials",
    "integration_role.ask": "Change Autotask's role",
    "integrations.ask_disconnect": "Disconnect Autotask",
    "invoice_edits.edit": "Change an invoice",
    "invoice_edits.new": "Add an invoice",
    "invoices.index": "Invoices",
    "invoices.show": "An invoice",
    "invoices.history": "An invoice's history",
    "invoices.lines": "An invoice's lines",
    "invoices.credits": "An invoice's credits",
    "invoices.pdf": "An invoice's PDF",
    "invoices.export": "Invoices as a file",
    "logo.edit": "Logo",
    "logo.picture": "Logo, the picture",
    "member_factors.show": "A person's second factors",
    "matching.show": "Matching with Autotask",
    "missing.index": "Missing in Autotask",
    "notices.index": "Notices",
    "partner_settings.edit": "Company settings",
    "payment_uploads.new": "Upload payments",
    "payments.index": "Payments",
    "payments.show": "A payment",
    "payments.new": "Record a payment",
    "payments.confirm_deletion": "Delete a payment",
    "payment_event_uploads.new": "Upload what became of payments",
    "payment_events.edit": "What became of a payment",
    "people.index": "People",
    "people.confirm_removing": "Remove a person",
    "people.edit_role": "Change a role",
    "preferences.show": "Preferences",
    "reconciliation.show": "Reconciliation",
    "reconciliation.export": "Reconciliation as a file",
    "search.show": "Search",
    "settings.show": "Settings",
    "settings.confirm_revoking": "Revoke an API key",
    "statements.show": "A customer's statement",
    "statements.pdf": "A customer's statement as a PDF",
    "support_consent.show": "Settings, Support",
    "sync_runs.index": "Sync history",
    "sync_runs.show": "A sync",
    "sync_runs.changes": "What a sync changed",
    "sync_runs.export": "What a sync changed, as a file",
    "webhook_messages.show": "A message to a webhook",
    "webhooks.index": "Webhooks",
    "webhooks.show": "A webhook",
    "webhooks.new": "Add a webhook",
    "webhooks.edit": "Change a webhook",
    "webhooks.confirm_removing": "Remove a webhook",
}
OTHER, SENT = "Another page", "A form was sent"


def name(method: str, path: str) -> str:
    """The page at a path of a partner, which may be one that is not there."""
    if method not in ("GET", "HEAD"):
        return SENT
    try:
        endpoint, _ = current_app.url_map.bind("portal").match(path.partition("?")[0], method=method)
    except (HTTPException, RequestRedirect):
        return "A page that is not there"
    return NAMES.get(str(endpoint), OTHER)
