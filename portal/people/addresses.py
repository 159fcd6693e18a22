"""What counts as an e-mail address."""

from email_validator import EmailNotValidError, validate_email


class NoAddress(ValueError):
    """This is no e-mail address; the message says why."""


def normalized(typed: str) -> str:
    """The address as it is kept and written to. Raises NoAddress."""
    try:
        # Reserved names such as demo.example are fine here: nothing is sent to find out.
        found = validate_email(
            typed,
            check_deliverability=False,
            test_environment=True,
            allow_smtputf8=False,
            allow_quoted_local=False,
        )
    except EmailNotValidError as error:
        raise NoAddress(str(error)) from error
    return str(found.ascii_email or found.normalized)
