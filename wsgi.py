"""What gunicorn and `flask --app wsgi` load."""

from portal import connections, create_app

app = create_app()
if app.config["COMMAND_LINE"]:
    connections.become(app, connections.Process.COMMAND)
