"""Flask extensions, made once and bound to the app in create_app()."""

from collections.abc import Mapping
from typing import Any, cast

from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy import CursorResult, Executable

from portal import crypto
from portal.database.pool import SharePool

# Models stand on their own declarative base (portal.models.base); this gives engine and session.
db = SQLAlchemy(session_options={"expire_on_commit": False}, engine_options={"poolclass": SharePool})
migrate = Migrate(compare_type=True, render_as_batch=False)
login_manager = LoginManager()


class MaskedTokens(CSRFProtect):
    """Takes form tokens as pages draw them, under a mask, and as they are."""

    def _get_csrf_token(self) -> str | None:
        token = super()._get_csrf_token()
        return crypto.unmasked(token) if token else None


csrf = MaskedTokens()


def rows_written(statement: Executable, values: Mapping[str, Any] | None = None) -> int:
    """Runs an INSERT, UPDATE or DELETE in the session; how many rows it wrote."""
    return cast(CursorResult[Any], db.session.execute(statement, values)).rowcount
