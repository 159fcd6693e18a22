"""bin/portal: the portal's command line, where DATABASE_URL or REDIS_URL is missing on the demo's servers.

Standard output belongs to the command alone; what is said about servers goes to standard error.
"""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, nullcontext

from local import shared, state
from local.environment import PROJECT
from local.servers import ServerFailed


def main() -> None:
    given = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)}
    embedded = len(given) < 2
    try:
        joined: AbstractContextManager[dict[str, str]] = nullcontext({})
        with shared.servers(state.DEMO, preload) if embedded else joined as servers:
            environment = state.app_environment(servers | given, autotask() if embedded else {})
            if "DATABASE_URL" not in given:
                shared.migrate(state.DEMO, environment)
            os.environ.update(environment)
            run()
    except ServerFailed as error:
        sys.exit(str(error))


def preload() -> None:
    """Loading the portal takes about as long as starting the servers."""
    import flask.cli  # noqa: F401

    import portal  # noqa: F401


def autotask() -> dict[str, str]:
    """The demo's sandbox, for the demo's data, once there was one; the caller's own settings win."""
    known: dict[str, str] = state.read(state.DEMO / "autotask.json")
    return known


def run() -> None:
    from flask.cli import FlaskGroup

    from portal.config import ConfigError

    sys.path.insert(0, str(PROJECT))
    try:
        from wsgi import app
    except ConfigError as error:
        sys.exit(str(error))
    try:
        FlaskGroup(create_app=lambda: app).main(prog_name="bin/portal")
    except SystemExit as done:
        sys.stdout.flush()
        if done.code:
            # Leaves through `with`, so that the servers are let go in order.
            raise


if __name__ == "__main__":
    main()
