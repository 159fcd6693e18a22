"""What Autotask's people did against our wish, in words: the same on the delivery and in the exception."""

from datetime import date

from portal.formatters import day


def set_back_to_unpaid(on: date) -> str:
    return (
        f"Autotask had confirmed this invoice as paid on {day(on)}, and somebody there has set it back to unpaid. "
        "Nothing was changed here. Send the paid date again, or delete the payment."
    )


def mark_changed(to: date) -> str:
    return (
        "There is no full payment here any more, but Autotask shows the invoice as paid on "
        f"{day(to)}, a date that was set there. Keep it as settled in Autotask, or clear it."
    )
