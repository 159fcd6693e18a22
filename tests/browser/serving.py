"""An app on a free port of 127.0.0.1, for a browser to open."""

import mimetypes
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

STATIC = Path(__file__).parents[2] / "static"


class Quiet(WSGIRequestHandler):
    def log(self, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def serve(app: Flask) -> Iterator[str]:
    """Serve `app` until the block ends; gives its address."""
    server = make_server("127.0.0.1", 0, _static_from_memory(app), threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _static_from_memory(app: Flask) -> Callable[..., Iterable[bytes]]:
    """A browser that leaves early makes the server forget to close an open file, which fails a test."""
    files = {f"/static/{path.relative_to(STATIC)}": path for path in STATIC.rglob("*") if path.is_file()}

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = files.get(environ["PATH_INFO"])
        if path is None:
            return app(environ, start_response)
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        start_response("200 OK", [("Content-Type", kind), ("Cache-Control", "max-age=60")])
        return [path.read_bytes()]

    return answer
