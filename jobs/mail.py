"""The bell for mails."""

from portal.mail import send


def send_due() -> int:
    """Sends the mails that are due. Safe to run twice and at the same time: the lease decides."""
    return send.send_due()
