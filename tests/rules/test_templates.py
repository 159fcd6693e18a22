"""Templates draw, they do not decide: short lines, and no sums, searches or lists made in them."""

import re
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, nodes

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
WIDTH, HEIGHT = 120, 80
CODE = [*(ROOT / "portal").rglob("*.py"), *(ROOT / "static").glob("*.js"), *TEMPLATES]
WORD = re.compile(r"[\w-]+")


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
    assert not [name for name in names if f'"{name}"' not in code and f"'{name}'" not in code]


def test_every_macro_is_called():
    code = "\n".join(re.sub(r"{%-? macro \w+", "", path.read_text()) for path in CODE)
    macros = {name for path in TEMPLATES for name in re.findall(r"{%-? macro (\w+)", path.read_text())}
    assert macros
    assert not macros - set(re.findall(r"\b(\w+)\(", code))


def test_every_class_of_the_style_sheet_is_on_a_page():
    """One that a template composes, such as `state-{{ tone }}`, counts by its beginning; htmx sets its own."""
    css = re.sub(r"/\*.*?\*/", "", (ROOT / "static/portal.css").read_text(), flags=re.DOTALL)
    code = "\n".join(path.read_text() for path in CODE)
    classes = set(re.findall(r"\.([a-z][\w-]+)(?=[^{}]*\{)", css))
    unused = {
        name
        for name in classes - set(WORD.findall(code))
        if not name.startswith("htmx-")
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


SUMS = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow, nodes.Neg)


def words_in(node: nodes.Node) -> bool:
    """A literal string, or a tuple of some; the empty string only asks whether there is anything."""
    return any(isinstance(one.value, str) and one.value for one in [node, *node.find_all(nodes.Const)]
               if isinstance(one, nodes.Const))  # fmt: skip


def root_of(node: nodes.Node) -> str:
    while isinstance(node, nodes.Getattr | nodes.Getitem | nodes.Call):
        node = node.node
    return node.name if isinstance(node, nodes.Name) else ""


def decides(tree: nodes.Template, is_component: bool) -> Iterator[int]:
    """Lines that compare with a literal string or calculate.

    Where the request stands (`request`) is no rule; a component draws as its caller tells it; joining lists is no sum.
    """
    for found in tree.find_all(nodes.Compare):
        sides = [found.expr, *(operand.expr for operand in found.ops)]
        if not is_component and root_of(found.expr) != "request" and any(words_in(side) for side in sides):
            yield found.lineno
    for found in tree.find_all(SUMS):
        joins = isinstance(found, nodes.Add) and isinstance(found.left, nodes.List | nodes.Add)
        if not joins and not (isinstance(found, nodes.Add) and isinstance(found.right, nodes.List)):
            yield found.lineno


def test_no_template_compares_with_a_word_or_calculates():
    """What a state means is a named property of the row, or of the query that is shown: tested there."""
    found: dict[str, list[int]] = {}
    for path in TEMPLATES:
        name = str(path.relative_to(ROOT / "templates"))
        lines = [*decides(Environment().parse(path.read_text()), name.startswith("components/"))]
        if lines:
            found[name] = lines
    assert found == {}
