"""Templates draw: short lines, one thing a line."""

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
