"""Templates draw, they do not decide: short lines, and no sums, searches or lists made in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
WIDTH, HEIGHT = 120, 80
CODE = [*(ROOT / "portal").rglob("*.py"), *(ROOT / "static").glob("*.js"), *TEMPLATES]


def test_no_line_of_a_template_is_longer_than_120_characters():
    long = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in TEMPLATES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > WIDTH
    ]
    assert not long, f"longer than {WIDTH} characters: {long}"


def test_no_template_is_longer_than_80_lines():
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in TEMPLATES}
    assert not {name: number for name, number in lines.items() if number > HEIGHT}


def test_every_template_is_drawn_by_a_view_or_another_template():
    code = "\n".join(path.read_text() for path in CODE)
    names = [str(path.relative_to(ROOT / "templates")) for path in TEMPLATES]
    assert not [name for name in names if not re.search(rf"[\"']{re.escape(name)}[\"']", code)]


def test_every_macro_is_called():
    code = "\n".join(re.sub(r"{%-? macro \w+", "", path.read_text()) for path in CODE)
    macros = {name for path in TEMPLATES for name in re.findall(r"{%-? macro (\w+)", path.read_text())}
    assert macros
    assert not {name for name in macros if not re.search(rf"\b{name}\(", code)}


def test_every_class_of_the_style_sheet_is_on_a_page():
    """One that a template composes, such as `state-{{ tone }}`, counts by its beginning; htmx sets its own."""
    css = re.sub(r"/\*.*?\*/", "", (ROOT / "static/portal.css").read_text(), flags=re.DOTALL)
    code = "\n".join(path.read_text() for path in CODE)
    classes = set(re.findall(r"\.([a-z][\w-]+)(?=[^{}]*\{)", css))
    unused = {
        name
        for name in classes
        if not name.startswith("htmx-")
        and not re.search(rf"(?<![\w-]){name}(?![\w-])", code)
        and not re.search(rf"\b{name.rpartition('-')[0]}-(['\"] ~|{{{{)", code)
    }
    assert classes
    assert not unused


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
