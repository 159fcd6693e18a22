"""The bell for messages to partners' own addresses."""

from portal.webhooks import send


def send_due() -> int:
    """Sends the messages that are due. Safe to run twice and at the same time: the lease decides."""
    return send.send_due()
