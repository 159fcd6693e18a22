"""What the launchers of PostgreSQL and Valkey share: free ports, and a guarded process with a bounded wait."""

from __future__ import annotations

import contextlib
import socket

from jobs.guarded import Guarded, ServerFailed

__all__ = ["Guarded", "ServerFailed", "free_port"]


def free_port(preferred: int = 0) -> int:
    """`preferred` if nothing listens there on 127.0.0.1, otherwise any free port."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise ServerFailed("No free port on 127.0.0.1.")
