"""SECRET_KEY is replaced: whoever is logged in stays so while the key before is named."""

from portal import config, create_app
from portal.extensions import db
from tests import factories


def knows(environment, cookie: str, **keys: str) -> bool:
    """Whether a portal with these keys takes the browser for the person who logged in."""
    app = create_app(config.load(environment | keys))
    browser = app.test_client()
    browser.set_cookie(app.config["SESSION_COOKIE_NAME"], cookie)
    status = browser.get("/p/northwind/invoices").status_code
    with app.app_context():
        db.engine.dispose()
    return status == 200


def test_whoever_is_logged_in_stays_so_while_the_key_before_is_named(app, environment, log_in):
    with app.app_context():
        browser = log_in(factories.tenant("northwind"))
    cookie = browser.get_cookie(app.config["SESSION_COOKIE_NAME"]).value
    before, new = environment["SECRET_KEY"], "another-" * 6
    assert knows(environment, cookie)
    assert knows(environment, cookie, SECRET_KEY=new, SECRET_KEY_BEFORE=before)
    assert not knows(environment, cookie, SECRET_KEY=new)
