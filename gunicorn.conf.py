"""gunicorn reads this by itself. PORT and WEB_CONCURRENCY come from the platform."""

import gc
import sys
from datetime import timedelta
from logging import Formatter, Logger
from typing import Any

from gunicorn.glogging import Logger as GunicornLogger

from jobs import lines, memory, unreadable

unreadable.answer_in_words()
memory.give_back()

# The processes share what one of them has loaded. On macOS what has used the network must not fork.
preload_app = sys.platform == "linux"
worker_class = "gthread"
threads = 4
# The platform kills after 30 s; gunicorn's own defaults are 30 too and would never end in order.
graceful_timeout = 20
timeout = 25
keepalive = 5
# A socket for remote control that nobody here uses.
control_socket_disable = True
# Workers prove that they live by touching a file; on a disk that can take longer than the timeout.
worker_tmp_dir = "/dev/shm" if sys.platform == "linux" else None
# On a terminal the lines of requests would hide all others.
accesslog = "-" if lines.wanted() else None


class Lines(GunicornLogger):
    """gunicorn's own lines and one for each answer, in the portal's form."""

    def _set_handler(self, log: Logger, output: str, fmt: Formatter, stream: Any = None) -> None:
        super()._set_handler(log, output, lines.Json() if lines.wanted() else fmt, stream)

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """Without the query: what people search for is theirs."""
        if not self.access_log_enabled:
            return
        answer = {
            "method": environ["REQUEST_METHOD"],
            "path": environ.get("portal.shown_path", environ["PATH_INFO"]),
            "status": int(str(resp.status).split()[0]),
            "bytes": resp.sent,
            "ms": round(request_time.total_seconds() * 1000, 1),
            "address": environ.get("REMOTE_ADDR", ""),
            **environ.get("portal.ids", {}),
        }
        self.access_log.info("request.answered", extra={"ids": answer})


logger_class = Lines


def when_ready(_):
    """Before the first process is forked: what lives now lives for ever, and is not looked at again."""
    from portal.database import shares
    from portal.web import assets
    from wsgi import app

    shares.look(app)
    assets.prepare(app)
    gc.collect()
    gc.freeze()


def post_fork(_, __):
    from portal.database import shares
    from portal.operating import counting
    from wsgi import app

    shares.become(app, shares.Process.WEB)
    counting.keep_writing(app)


def worker_exit(_, __):
    from portal.operating import counting
    from wsgi import app

    counting.write_quietly(app)
