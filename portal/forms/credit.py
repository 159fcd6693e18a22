"""Applying a credit."""

from wtforms import StringField

from portal.forms.allocation import AllocationForm


class CreditForm(AllocationForm):
    """How much of a credit goes to which open invoices."""

    amount = StringField("Amount to apply", filters=[lambda text: (text or "").strip()])
    ask_for_amount = "Enter how much of the credit to apply."
