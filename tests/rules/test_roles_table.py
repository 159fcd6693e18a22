"""What each role may do stands in docs/roles.md as the code holds it: rule 7.1."""

from pathlib import Path

from portal.access.permissions import ROLE_PERMISSIONS, ROLE_WORDS, WORDS, Permission
from portal.models import Role
from portal.queries import people

PAGE = Path(__file__).resolve().parents[2] / "docs" / "roles.md"


def written() -> str:
    """The table as Markdown, from the permissions in code."""
    heads = [*(role.value for role in people.ROLES), "support, looking", "support, acting"]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for words, allowed in people.roles_table():
        lines.append(f"| {words} | {' | '.join('yes' if one else '' for one in allowed)} |")
    return "\n".join(line.replace("|  |", "| |").replace("|  |", "| |") for line in lines)


def test_the_table_of_roles_is_the_codes_own() -> None:
    assert written() in PAGE.read_text(), f"docs/roles.md must hold:\n{written()}"


def test_every_permission_and_every_role_has_words() -> None:
    assert set(WORDS) == set(Permission)
    assert set(ROLE_WORDS) == set(ROLE_PERMISSIONS) == set(people.ROLES) == set(Role)
