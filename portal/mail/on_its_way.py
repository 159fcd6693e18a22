"""Whether a mail that was just written goes out, as the person who asked for it is told."""

from flask import current_app

KEPT = "No mail server is set up, so it is kept and not sent. Whoever runs this portal can hand out a link instead."


def told(done: str) -> tuple[str, str]:
    """A sentence such as "An invitation is on its way to …." with its category, or with why it is not."""
    if current_app.config["MAIL"] is not None:
        return done, "success"
    return f"{done.replace(' is on its way to ', ' is written to ')} {KEPT}", "warning"
