"""Addresses of static files that change when the file does, so that browsers may keep them for a year."""

import hashlib
from pathlib import Path

from flask import Flask, current_app, url_for


def register(app: Flask) -> None:
    """Give templates `asset(name)`."""
    app.extensions["asset_marks"] = {}
    app.jinja_env.globals["asset"] = asset


def asset(name: str) -> str:
    """The address of `static/<name>`; vendored names carry a version, ours get a mark of their content."""
    if name.startswith("vendor/"):
        return url_for("static", filename=name)
    return url_for("static", filename=name, v=_mark(name))


def _mark(name: str) -> str:
    marks: dict[str, str] = current_app.extensions["asset_marks"]
    if name not in marks or current_app.debug:
        content = Path(current_app.static_folder or "static", name).read_bytes()
        marks[name] = hashlib.sha256(content).hexdigest()[:10]
    return marks[name]
