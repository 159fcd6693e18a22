"""A partner portal for MSP billing: connect Autotask, sync, take payments, reconcile."""

from typing import Any

from flask import Flask
from sqlalchemy import event
from werkzeug.middleware.proxy_fix import ProxyFix

from portal import cli, config, logs, views
from portal.access import form_tokens, permissions, requests, sessions, tenancy, walls
from portal.database import connection
from portal.extensions import csrf, db, login_manager, migrate
from portal.operating import sentry
from portal.web import (
    assets,
    compression,
    counted,
    error_pages,
    incoming,
    limits,
    live,
    outages,
    outermost,
    own_address,
    page_context,
    security_headers,
    template_filters,
)


def create_app(settings: dict[str, Any] | None = None) -> Flask:
    """The application. `settings` override what the environment says. Raises ConfigError."""
    app = Flask(__name__, template_folder="../templates", static_folder="../static")
    incoming.register(app)
    app.url_map.strict_slashes = False  # an address typed with a slash at its end is the same page
    app.config.update(settings if settings is not None else config.load())
    logs.configure(app.config["LOG_FORMAT"])
    sentry.register(app)
    _extensions(app)
    counted.register(app)
    compression.register(app)
    own_address.register(app)
    requests.register(app)
    security_headers.register(app)
    app.after_request(requests.no_store)
    template_filters.register(app)
    page_context.register(app)
    live.register(app)
    limits.register(app)
    error_pages.register(app)
    outages.register(app)
    views.register(app)
    cli.register(app)
    permissions.refuse_unmarked_views(app)
    outermost.register(app)
    return app


def _extensions(app: Flask) -> None:
    if app.config["TRUSTED_PROXIES"]:
        hops = app.config["TRUSTED_PROXIES"]
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    db.init_app(app)
    migrate.init_app(app, db)
    login_manager.init_app(app)
    login_manager.user_loader(sessions.load)
    login_manager.unauthorized_handler(sessions.ask_to_log_in)
    csrf.init_app(app)
    form_tokens.register(app)
    with app.app_context():
        event.listen(db.engine, "connect", tenancy.lower_privileges)
        event.listen(db.engine, "first_connect", walls.look_once)
        connection.prepare(db.engine)
    app.view_functions["static"] = permissions.public(assets.send)
