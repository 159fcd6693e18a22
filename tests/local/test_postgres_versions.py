"""bin/test --postgres VERSION and --two-roles."""

import os

import pytest

from local import postgres_versions, test_command
from local.environment import SetupFailed


@pytest.fixture(autouse=True)
def environment_as_before(monkeypatch) -> None:
    monkeypatch.setenv(postgres_versions.WANTED, "")


def test_a_version_is_taken_out_of_the_words_and_told_to_the_servers(monkeypatch) -> None:
    monkeypatch.setattr(postgres_versions, "installed", lambda version: None)

    assert test_command.choose_postgres(["-k", "x", "--postgres", "15", "tests"]) == ["-k", "x", "tests"]
    assert (os.environ[postgres_versions.WANTED], postgres_versions.wanted()) == ("15", 15)


def test_without_the_option_it_is_the_embedded_one() -> None:
    assert test_command.choose_postgres(["tests"]) == ["tests"]
    assert postgres_versions.wanted() is None


@pytest.mark.parametrize("words", [["--postgres"], ["--postgres", "new"]])
def test_no_version_is_refused_in_words(words: list[str]) -> None:
    with pytest.raises(SetupFailed, match="such as --postgres 15"):
        test_command.choose_postgres(words)


def test_a_version_that_is_not_here_and_cannot_be_installed_names_the_command(monkeypatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)

    with pytest.raises(SetupFailed, match="apt-get install postgresql-9"):
        postgres_versions.installed(9)


def test_two_roles_are_taken_out_of_the_words_and_told_to_the_servers(monkeypatch) -> None:
    monkeypatch.setenv("PORTAL_ROLES", "")

    assert test_command.choose_roles(["--two-roles", "tests"]) == ["tests"]
    assert os.environ["PORTAL_ROLES"] == "2"
