"""The web dyno: gunicorn, once every setting was found usable: `python -m jobs.serve [gunicorn's options]`.

gunicorn takes WEB_CONCURRENCY as it is while it loads, and would end in a traceback of its own.
"""

from __future__ import annotations

import os
import sys

from portal import config
from portal.config import ConfigError


def main() -> None:
    try:
        settings = config.load()
    except ConfigError as error:
        sys.exit(str(error))
    os.environ["WEB_CONCURRENCY"] = str(settings["WEB_CONCURRENCY"])
    from gunicorn.app.wsgiapp import run

    sys.argv.append("wsgi:app")
    run(prog="jobs.serve")


if __name__ == "__main__":
    main()
