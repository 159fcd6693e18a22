"""Reports by customer: a row that names the customer alone stands above its invoices, which leave that cell empty."""

from collections.abc import Mapping, Sequence

from sqlalchemy import text

from portal.extensions import db
from portal.models import ImportFile
from portal.uploads.choice import Choice
from portal.uploads.drafts import Cells

IS_HEADING = """tenant_id = :tenant_id AND file_id = :file_id
    AND cells[:at] <> '' AND array_length(array_remove(cells, ''), 1) = 1"""
# From the one above the first of these places on.
HEADINGS = text(
    """
    SELECT place, cells[:at] AS name FROM import_file_row
    WHERE IS_HEADING AND place <= :last AND place >= coalesce(
        (SELECT place FROM import_file_row WHERE IS_HEADING AND place <= :first ORDER BY place DESC LIMIT 1), 0)
    ORDER BY place""".replace("IS_HEADING", IS_HEADING)
)


def with_customers(
    file: ImportFile, choice: Choice, records: Mapping[int, Sequence[Cells]]
) -> dict[int, Sequence[Cells]]:
    """The rows of records, by their places; where none names the customer, the first has the one that stands above."""
    found = dict(records)
    bare = sorted(
        place
        for place, rows in records.items()
        if choice.cell("number", rows[0]) and not any(choice.cell("customer", cells) for cells in rows)
    )
    if bare and choice.has("customer"):
        names, at = _names_above(file, choice.columns["customer"], bare), choice.columns["customer"]
        for place in bare:
            first, *rest = records[place]
            found[place] = [[*first[:at], names.get(place, ""), *first[at + 1 :]], *rest]
    return found


def _names_above(file: ImportFile, at: int, places: Sequence[int]) -> dict[int, str]:
    of = {"tenant_id": file.tenant_id, "file_id": file.id, "at": at + 1}
    rows = db.session.execute(HEADINGS, {**of, "first": places[0], "last": places[-1]}).all()
    found, next_one, name = {}, 0, ""
    for place in places:
        while next_one < len(rows) and rows[next_one].place < place:
            name, next_one = rows[next_one].name, next_one + 1
        found[place] = name
    return found
