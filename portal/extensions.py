"""Flask extensions, made once and bound to the app in create_app()."""

from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect

# Models stand on their own declarative base (portal.models.base); this gives engine and session.
db = SQLAlchemy(session_options={"expire_on_commit": False})
migrate = Migrate(compare_type=True, render_as_batch=False)
login_manager = LoginManager()
csrf = CSRFProtect()
