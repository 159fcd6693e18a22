"""docs/security.md names what holds each requirement of OWASP ASVS 5.0, and all that it names is there."""

import hashlib
from dataclasses import replace

from tests import security_table

# Of the numbers and levels of all requirements of levels 1 and 2, in the standard's order: none was left out.
ALL_OF_THEM = "c221cc01ef8fef1236787852eaaffe3e41baaa66b99534975cf9ccc3f62e5b4a"


def test_no_requirement_is_left_out() -> None:
    rows = security_table.requirements()
    told = "".join(f"{one.number} {one.level}\n" for one in rows)
    assert hashlib.sha256(told.encode()).hexdigest() == ALL_OF_THEM
    assert (len(rows), len([one for one in rows if one.level == "1"])) == (253, 70)


def test_every_test_and_place_that_is_named_is_there() -> None:
    rows = security_table.requirements()
    assert [fault for one in rows if (fault := security_table.missing(one))] == []
    assert len([one for one in rows if one.state == "met"]) >= 60


def test_a_row_that_names_what_is_not_there_is_found() -> None:
    one = next(row for row in security_table.requirements() if row.state == "met")
    for wrong in (
        "rules/test_strangers.py::test_that_was_renamed",
        "rules/test_gone.py::test_x",
        "rules/test_strangers.py",
    ):
        assert security_table.missing(replace(one, where=wrong)), wrong
    assert security_table.missing(replace(one, state="place", where="docs/gone.md"))
    assert security_table.missing(replace(one, state="open", where=""))


def test_the_page_is_the_tables_own() -> None:
    assert security_table.PAGE.read_text() == security_table.page(), (
        "python -m tests.security_table writes it"
    )
