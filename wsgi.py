"""What gunicorn and `flask --app wsgi` load."""

from portal import create_app
from portal.database import shares

app = create_app()
if app.config["COMMAND_LINE"]:
    shares.become(app, shares.Process.COMMAND)
