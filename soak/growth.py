"""What a portal at work holds, looked at again and again: memory, files, connections, keys and rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median

import psycopg
from redis import Redis

from drill.program import Program
from storm import processes
from storm.site import Site

SHARE, MEGABYTES, FEW = 0.10, 8, 4
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'portal'"
TABLES = (
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
)


class Growth:
    """`look()` often, then ask what grew."""

    def __init__(self, site: Site, programs: Mapping[str, Program]) -> None:
        self.site, self.programs = site, programs
        self.seen: dict[str, list[float]] = {}
        self.rows: dict[str, list[int]] = {}

    def look(self) -> None:
        for name, program in self.programs.items():
            pids = pids_of(program)
            self.note(f"memory of {name}, MB", sum(map(processes.memory, pids)))
            self.note(f"files of {name}", sum(map(files, pids)))
        with psycopg.connect(self.site.superuser_url, autocommit=True) as connection:
            self.note("connections", one(connection, CONNECTIONS))
            for (table,) in connection.execute(TABLES).fetchall():
                count = one(connection, f"SELECT count(*) FROM {table}")
                self.rows.setdefault(table, []).append(count)
        with Redis.from_url(self.site.environment["REDIS_URL"]) as redis:
            self.note("keys in Redis", int(redis.dbsize()))
            self.note("clients of Redis", int(redis.info("clients")["connected_clients"]))

    def note(self, name: str, value: float) -> None:
        self.seen.setdefault(name, []).append(value)

    def said(self) -> str:
        lines = [f"{name}: {first:.0f} then {last:.0f}" for name, (first, last) in self.thirds().items()]
        rows = [
            f"{table} {counts[0]} to {counts[-1]}"
            for table, counts in self.rows.items()
            if counts[0] < counts[-1]
        ]
        return "\n".join([*lines, "rows: " + ", ".join(rows)])

    def thirds(self) -> dict[str, tuple[float, float]]:
        """The median of the second third of all looks, and that of the last."""
        found = {}
        for name, values in self.seen.items():
            third = max(1, len(values) // 3)
            found[name] = (median(values[third : 2 * third] or values), median(values[-third:]))
        return found

    def without_end(self) -> list[str]:
        """A sentence for each thing that grew after it was warm."""
        return [
            f"{name} grew from {first:.0f} to {last:.0f}."
            for name, (first, last) in self.thirds().items()
            if last > first * (1 + SHARE) and last > first + (MEGABYTES if "MB" in name else FEW)
        ]


def one(connection: psycopg.Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])  # type: ignore[index]


def pids_of(program: Program) -> list[int]:
    if program.process is None:
        return []
    return [program.process.pid, *(below.pid for below in processes.below(program.process.pid))]


def files(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return 0
