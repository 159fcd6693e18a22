"""Templates draw, they do not decide: short lines, and no sums, searches or lists made in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
WIDTH = 120


def test_no_line_of_a_template_is_longer_than_120_characters():
    long = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in TEMPLATES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > WIDTH
    ]
    assert not long, f"longer than {WIDTH} characters: {long}"


# What belongs into a query, with a name: looking for rows, adding up, collecting, dropping the first.
DECIDES = re.compile(
    r"\|\s*(sum|unique|groupby|rejectattr|selectattr\(\"(?!url\")|reject|select)\b"
    r"|\.append\(|\[1:\]|== \"ach\""
)


def test_no_template_adds_up_searches_or_collects():
    """`selectattr("url")` leaves out links that somebody may not follow."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in TEMPLATES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if DECIDES.search(line)
    ]
    assert not found, f"decided in a template: {found}"
