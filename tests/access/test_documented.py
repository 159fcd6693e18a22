"""docs/logins.md says what the code does."""

from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from portal.access import freshness, lifetimes, password_strength, support_visits, who_needs_a_factor
from portal.access.permissions import CONFIDENTIAL, ROLE_PERMISSIONS, Permission
from portal.autotask import documents
from portal.models import Role
from portal.payments import upload_file
from portal.people import logo

PAGE = (Path(__file__).parents[2] / "docs" / "logins.md").read_text()


def words(time: timedelta) -> str:
    minutes = int(time.total_seconds()) // 60
    return f"{minutes} minutes" if minutes % 60 else f"{minutes // 60} hours"


def row(start: str) -> list[str]:
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(("who", "staff"), [("a partner's people", False), ("support staff", True)])
def test_how_long_a_login_lasts_is_what_is_written(who: str, staff: bool) -> None:
    times = [lifetimes.IDLE[staff], lifetimes.ABSOLUTE[staff], who_needs_a_factor.LONGEST, freshness.FRESH]
    assert row(who) == [who, *map(words, times)]
    assert f"lasts {words(support_visits.LONGEST).replace('1 hours', '60 minutes')} at most" in PAGE


def test_the_words_that_no_password_is_made_of_are_what_is_written() -> None:
    shortest, longest = password_strength.SHORTEST, password_strength.LONGEST
    assert f"{shortest} to {longest} characters" in PAGE
    assert "name and the slug of every partner" in PAGE
    about = ["nora@zebrano.example", "Nora Nightingale", "Kettleworks Ltd", "kettleworks"]
    for made in ("NoraNightingale1", "kettleworks-2026", "nora@zebrano.example"):
        assert password_strength.weakness(made, about) != ""


def test_who_sees_what_of_people_and_keys_is_what_is_written() -> None:
    """One role holds each of these permissions, and the table has a line for each field."""
    assert {name: permission for name, permission in CONFIDENTIAL.items() if name != "api_key"} == {
        "email": Permission.USERS,
        "username": Permission.CREDENTIALS,
        "prefix": Permission.API_KEYS,
    }
    for permission in set(CONFIDENTIAL.values()):
        assert [role for role in ROLE_PERMISSIONS if permission in ROLE_PERMISSIONS[role]] == [Role.OWNER]
    assert [row(start)[1] for start in ("e-mail", "the user", "the beginning")] == ["owners"] * 3


def test_the_files_that_are_taken_in_are_what_is_written(app: Flask) -> None:
    assert f"{upload_file.MOST_ROWS:,} rows, {upload_file.MOST_BYTES // 1000} kB" in row("payments")[2]
    assert f"{logo.MOST_BYTES // 1_000_000} MB, {logo.MOST_PIXELS:,} pixels" in row("a partner's logo")[2]
    assert f"{logo.WIDTH} by {logo.HEIGHT}" in row("a partner's logo")[2]
    assert row("a partner's logo")[1] == ", ".join(logo.KINDS)
    assert row("PDFs")[2].startswith(f"{documents.LARGEST_PDF // 1_000_000} MB")
    assert row("any request")[2] == f"{app.config['MAX_CONTENT_LENGTH'] // 1024 // 1024} MB"
