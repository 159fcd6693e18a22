"""What gunicorn and `flask --app wsgi` load."""

import sys

import click

from portal import create_app
from portal.config import ConfigError
from portal.database import shares

try:
    app = create_app()
except ConfigError as error:
    if click.get_current_context(silent=True) is None:
        raise
    sys.exit(str(error))  # to whoever typed a command, without a traceback
if app.config["COMMAND_LINE"]:
    shares.become(app, shares.Process.COMMAND)
