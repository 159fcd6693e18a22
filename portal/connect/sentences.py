"""Every way the test before saving can fail, as a sentence that says what to do about it."""

from portal.autotask.errors import (
    AutotaskError,
    BadRecord,
    NoAnswer,
    Rejected,
    Throttled,
    Unauthorized,
    Unavailable,
    UnknownUser,
    Untrusted,
)
from portal.connect.errors import ConnectRefused

NO_CODE = (
    "This portal has no integration code for Autotask yet. Ask whoever runs it to set "
    "AUTOTASK_INTEGRATION_CODE; nothing was sent to Autotask."
)
NO_SECRET = "The stored secret cannot be read with this portal's keys. Enter the key and secret again."  # noqa: S105
ODD_CHARACTERS = (
    "The key or secret holds characters that Autotask never uses, so it was not sent. Copy both again from "
    "the API user's page in Autotask."
)
WRONG_LOGIN = (
    "Autotask did not accept this key and secret. In Autotask open the API user, choose Generate Secret, "
    "save, and paste the new secret here. Check there as well that the user is active and not locked, and "
    "that its Integration Vendor is the one in the guide. The login was tried only once, because Autotask "
    "locks a user after repeated failures."
)
NO_COMPANIES = (
    "Autotask shows this API user no companies at all. If you do have some, its security level or line of "
    "business hides them: choose “API User (system) Can't Read Costs” for it."
)
ANOTHER_AUTOTASK = (
    "This key belongs to another Autotask than the one that was connected before: none of the customers known "
    "here is found in it. Make the API user in the same Autotask as before; to use another one, ask support for "
    "a new partner, so that the customers of two companies are never mixed up."
)
LATER = "What you typed is still here; try again in a few minutes."
RIGHTS = {
    "Companies": "companies, which are your customers here",
    "Contacts": "contacts",
    "Invoices": "invoices",
    "BillingItems": "billing items, which are the lines of invoices",
    "InvoicePdf": "the PDFs of invoices",
}


def refusal(error: AutotaskError, *, username: str = "", asked: str = "") -> ConnectRefused:
    """The refusal that fits an error of the test; `asked` says what the portal wanted to read, for a person."""
    if isinstance(error, UnknownUser):
        return ConnectRefused([unknown_user(username)], field="username")
    if isinstance(error, Unauthorized):
        return ConnectRefused([WRONG_LOGIN], field="secret", login=True)
    if isinstance(error, Rejected) and error.texts:
        return ConnectRefused([_question_refused(error, asked)])
    return ConnectRefused([_later(error)])


def unknown_user(username: str) -> str:
    shown = username.strip()[:100]
    return (
        f"Autotask does not know the username “{shown}”. Copy the Username (Key) from the API user's page in "
        "Autotask; it looks like an e-mail address, but it is not your own."
    )


def not_trusted(address: str) -> str:
    return (
        f"The address of this Autotask, {address[:200]}, is not one that the portal trusts. Press Test connection, "
        "which looks the address up again; if that does not help, ask whoever runs this portal to check its "
        "trusted hosts."
    )


def no_right(entity: str) -> str:
    return (
        f"The API user has no right to read {RIGHTS[entity]}. In Autotask open the API user and choose the "
        "security level “API User (system) Can't Read Costs”, or have the right added to its level."
    )


def pdf_note(number: str, error: AutotaskError | BadRecord) -> str:
    why = error.reason if isinstance(error, BadRecord) else str(error)
    return f"The PDF of invoice {number} could not be read ({why.rstrip('.')}). Others may well come."


def _question_refused(error: Rejected, asked: str) -> str:
    what = f"when the portal asked for {asked}" if asked else "a question of the portal"
    return (
        f"Autotask accepted the key and secret, but refused {what}. It said: “{error.texts[0][:300].rstrip('.')}”. "
        "Nothing was saved. Send this sentence to whoever runs this portal; trying again changes nothing until "
        "that is settled."
    )


def _later(error: AutotaskError) -> str:
    if isinstance(error, Throttled):
        return f"Autotask limits requests at the moment, so the test could not be finished. {LATER}"
    if isinstance(error, Untrusted):
        return f"{error} Ask whoever runs this portal to check the Autotask address and its trusted hosts."
    if isinstance(error, NoAnswer):
        return f"{str(error).rstrip('.')}: the portal got no answer. {LATER}"
    if isinstance(error, Unavailable) and (error.status or 0) >= 500:
        return f"Autotask is not available at the moment (it answered with error {error.status}). {LATER}"
    return (
        f"What answered is not Autotask's API. {error} {LATER} If it stays like this, ask whoever runs this "
        "portal to check the Autotask address."
    )
