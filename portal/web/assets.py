"""Static files: their addresses change when they do, so that browsers keep them for a year without asking again."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import brotli  # type: ignore[import-untyped]
from flask import Flask, Response, current_app, request, url_for
from werkzeug.exceptions import NotFound

from portal.web import compression

FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "public, no-cache"


@dataclass(frozen=True)
class Held:
    """One file as it goes over the wire: bodies by encoding, the plain one under ``""``."""

    mark: str
    kind: str
    bodies: dict[str, bytes]


def register(app: Flask) -> None:
    """Give templates `asset(name)`."""
    app.jinja_env.globals["asset"] = asset


def asset(name: str) -> str:
    """The address of `static/<name>` with a mark of its content; a page holds two dozen."""
    return _address(request.script_root, name, _find(name).mark)


def send(filename: str) -> Response:
    """The file, compressed as the browser takes it. Raises NotFound."""
    held = _find(filename)
    encoding = compression.accepted()
    encoding = encoding if encoding in held.bodies else ""
    response = Response(held.bodies[encoding], content_type=held.kind)
    response.vary.add("Accept-Encoding")
    if encoding:
        response.content_encoding = encoding
    # While two releases run, a page of one may ask the other: what that has is not kept under the new address.
    response.headers["Cache-Control"] = FOR_EVER if request.args.get("v") == held.mark else ASK_AGAIN
    response.set_etag(held.mark + encoding)
    return response.make_conditional(request)  # type: ignore[return-value]


def prepare(app: Flask) -> None:
    """Reads and compresses every file now: no visitor waits for it, and no page looks at the disk from here on."""
    root = Path(app.static_folder or "static").resolve()
    app.extensions["assets"] = {
        path.relative_to(root).as_posix(): _read(path, path.stat().st_mtime_ns) for path in root.rglob("*.*")
    }


@lru_cache(maxsize=200)
def _address(_below: str, name: str, mark: str) -> str:
    return url_for("static", filename=name, v=mark)


def _find(name: str) -> Held:
    prepared: Held | None = current_app.extensions.get("assets", {}).get(name)
    return prepared or _on_disk(name)


def _on_disk(name: str) -> Held:
    try:
        path = _place(current_app.static_folder or "static", name) if name.isprintable() else None
        found = path is not None and path.is_file()
    except OSError:  # longer than any file's name may be
        found = False
    if path is None or not found:
        raise NotFound
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=200)
def _place(folder: str, name: str) -> Path | None:
    """Where the file would be; None outside the folder. Links are followed once, which takes long."""
    root = Path(folder).resolve()
    path = (root / name).resolve()
    return path if path.is_relative_to(root) else None


@lru_cache(maxsize=100)
def _read(path: Path, _changed: int) -> Held:
    plain = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    bodies = {"": plain}
    if len(plain) >= compression.LEAST:
        bodies |= {"br": brotli.compress(plain, quality=11), "gzip": gzip.compress(plain, 9, mtime=0)}
    text = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    return Held(hashlib.sha256(plain).hexdigest()[:10], text, bodies)
