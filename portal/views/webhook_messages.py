"""Messages that went to a partner's own addresses: what was sent, what came back, and once more."""

from typing import Any

from flask import Blueprint, flash, render_template, url_for

from portal.access.freshness import fresh
from portal.access.permissions import Permission, requires
from portal.access.tenancy import find_or_404
from portal.extensions import db
from portal.models import WebhookMessage
from portal.queries import webhooks
from portal.web import htmx
from portal.webhooks import send

pages = Blueprint("webhook_messages", __name__, url_prefix="/p/<partner_slug>/settings/webhook-messages")


@pages.get("/<int:message_id>")
@requires(Permission.VIEW)
def show(message_id: int) -> Any:
    return render_template(
        "webhooks/message.html", detail=webhooks.detail(find_or_404(WebhookMessage, message_id))
    )


@pages.post("/<int:message_id>/again")
@requires(Permission.WEBHOOKS)
@fresh
def again(message_id: int) -> Any:
    row = find_or_404(WebhookMessage, message_id)
    if row.endpoint.is_on:
        send.again(row)
        db.session.commit()
        flash("It is sent once more, under the same id.", "success")
    else:
        flash("The webhook is off. Switch it on first.", "warning")
    return htmx.redirect(url_for("webhook_messages.show", message_id=message_id))
