"""Writes docs/performance.md and its curves from what was measured."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import burst, curve, peers
from bench.measure import AGAIN, FIRST, QUIET, Setting, Side, medians
from bench.places import ROOT

HEADER = """| work | who | seconds | rows/s | calls | peak MB | × limit | load |
|---|---|---|---|---|---|---|---|"""
INTRODUCTION = """# How fast it reads, and what it costs as it grows

`bin/bench --report` writes this page. Limit and portal run in turns on the same servers, against a sandbox Autotask in a
process of its own. The *limit* fetches, parses with exact decimals, copies into a temporary table and upserts a page at
a time into the portal's own tables, with their indexes, keys and row-level security; it compares nothing, keeps no
history, and cannot be taken up again; it asks for one page at a time, and for three where an answer takes 100 ms. *Load* is the machine's, over the minute before:
above the number of its processors, seconds say little and ratios are what to look at. Pages, searches, the fleet and
10,000 partners on paper: [growth.md](growth.md).
"""


def write(sides: Sequence[Side], paid: str, number: int, folder: Path = ROOT / "docs") -> None:
    """The page, and a curve for each work where more than one size was measured."""
    found = medians(sides)
    settings = list(dict.fromkeys(side.setting for side in sides))
    times = f"medians of {number} rounds" if number > 1 else "each once"
    today = datetime.now(UTC).date().isoformat()
    parts = [INTRODUCTION, f"Measured {today}, {os.cpu_count()} processors, {times}.\n"]
    for setting in settings:
        parts.append(f"## {setting.words[0].upper()}{setting.words[1:]}\n\n{table(found, setting)}\n")
    for work, name in ((FIRST, "first"), (AGAIN, "again")):
        curves = _curves(found, work)
        if curves:
            (folder / f"performance-{name}.svg").write_text(curve.svg(work.capitalize(), curves))
            parts.append(f"![{work.capitalize()}: seconds over invoices](performance-{name}.svg)\n")
    parts.append(
        f"## Payments in a burst\n\n{burst.__doc__.split('.', 1)[0]}. Two processes each.\n\n{paid}\n"
    )
    (folder / "performance.md").write_text("\n".join(parts))


def table(found: dict[tuple[Setting, str, str], Side], setting: Setting) -> str:
    """One setting's medians as Markdown."""
    lines = [HEADER]
    for work in (FIRST, AGAIN, QUIET):
        limit = found.get((setting, work, "limit"))
        for who in ("limit", peers.DLT, "portal"):
            side = found.get((setting, work, who))
            if side is not None:
                lines.append(_line(side, limit))
    return "\n".join(lines)


def bursts(found: Sequence[tuple[burst.Burst, burst.Burst]]) -> str:
    """The round in the middle, of bare loop and portal."""
    bare, portal = sorted(found, key=lambda sides: sides[1].rate / sides[0].rate)[len(found) // 2]
    header = """| payments at once | who | confirmed a second | × bare loop | statements each | ms of Python each |
|---|---|---|---|---|---|"""
    ratio = portal.rate / bare.rate
    ours = f"{portal.rate:.0f} | {ratio:.2f} | {portal.statements:.1f} | {portal.cpu_ms:.1f} |"
    lines = [f"| {bare.done:,} | bare loop | {bare.rate:.0f} | 1.00 | 2.0 | – |"]
    return "\n".join([header, *lines, f"| {portal.done:,} | portal | {ours}"])


def _line(side: Side, limit: Side | None) -> str:
    figure = side.figure
    ratio = f"{figure.seconds / limit.figure.seconds:.2f}" if limit else "–"
    rate = f"{figure.rows / figure.seconds:,.0f}" if side.work != QUIET else "–"
    cells = [side.work, side.who, f"{figure.seconds:.2f}", rate, f"{figure.requests:,}"]
    return "| " + " | ".join([*cells, f"{figure.peak_mb:.0f}", ratio, f"{side.load:.1f}"]) + " |"


def _curves(found: dict[tuple[Setting, str, str], Side], work: str) -> dict[str, list[curve.Point]]:
    """By who: (invoices, seconds) on the first server measured, at full pace; none for a single size."""
    server = next(setting.version for setting, _, _ in found)
    curves: dict[str, list[curve.Point]] = {}
    for (setting, of, who), side in found.items():
        if of == work and setting.version == server and not setting.pace:
            curves.setdefault(who, []).append((setting.invoices, side.figure.seconds))
    return curves if all(len(points) > 1 for points in curves.values()) else {}
