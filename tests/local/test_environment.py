"""bin/* make their own environment from the locks, once, and say what to do when they cannot."""

import json
import re
from pathlib import Path

import pytest

from local import environment
from local.environment import LOCKS, PROJECT, SetupFailed

PINNED = re.compile(r"^([a-z0-9._-]+(?:\[[a-z0-9,]+\])?)==(\S+)", re.MULTILINE)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with lock files and an environment of its own, where nothing is really installed."""
    for name in LOCKS:
        (tmp_path / name).write_text(f"# {name}\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("python", "uv"):
        (tmp_path / ".venv" / "bin" / name).touch()
    monkeypatch.setattr(environment, "PROJECT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(environment, "INSTALLED", tmp_path / ".venv" / "installed-locks.json")
    monkeypatch.setattr(environment, "works", lambda _: True)
    return tmp_path


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would have been run; all of it succeeds."""
    said: list[list[str]] = []
    monkeypatch.setattr(environment, "succeeds", lambda command: said.append(command) or True)
    monkeypatch.setattr(environment, "run", said.append)
    return said


def test_packages_are_installed_once_for_a_lock(project, commands) -> None:
    environment.prepare("requirements-embedded.txt")
    environment.prepare("requirements-embedded.txt")
    assert len(commands) == 1
    assert commands[0][-3:] == ["--require-hashes", "-r", "requirements-embedded.txt"]


def test_a_changed_lock_is_installed_again(project, commands) -> None:
    environment.prepare("requirements-dev.txt")
    (project / "requirements-dev.txt").write_text("# other\n")
    environment.prepare("requirements-dev.txt")
    assert len(commands) == 2


def test_the_tests_packages_contain_those_of_the_demo(project, commands) -> None:
    environment.prepare("requirements-dev.txt")
    environment.prepare("requirements-embedded.txt")
    assert len(commands) == 1


def test_the_demos_packages_do_not_do_for_the_tests(project, commands) -> None:
    environment.prepare("requirements-embedded.txt")
    environment.prepare("requirements-dev.txt")
    assert len(commands) == 2


def test_pip_takes_over_where_uv_cannot_fetch(project, commands, monkeypatch) -> None:
    monkeypatch.setattr(environment, "succeeds", lambda command: False)
    environment.prepare("requirements.txt")
    assert commands[0][1:4] == ["-m", "pip", "install"]
    assert "--require-hashes" in commands[0]


def test_a_python_without_venv_is_told_the_command(monkeypatch) -> None:
    monkeypatch.setattr(environment.os, "geteuid", lambda: 1000)
    with pytest.raises(SetupFailed, match=r"sudo apt-get install python3\.\d+-venv"):
        environment.install_venv_package()


def test_root_on_debian_installs_what_python_lacks(commands, monkeypatch) -> None:
    monkeypatch.setattr(environment.os, "geteuid", lambda: 0)
    monkeypatch.setattr(environment.shutil, "which", lambda _: "/usr/bin/apt-get")
    environment.install_venv_package()
    assert [command[1] for command in commands] == ["update", "install"]


@pytest.mark.parametrize("lock", ["requirements-uv.txt", *LOCKS])
def test_every_locked_package_has_a_hash_and_no_index_is_named(lock) -> None:
    text = (PROJECT / lock).read_text()
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text


def test_a_package_has_one_version_in_all_locks() -> None:
    versions = [dict(PINNED.findall((PROJECT / lock).read_text())) for lock in LOCKS]
    assert versions[0].items() <= versions[1].items() <= versions[2].items()


def test_locks_hold_what_the_lists_ask_for() -> None:
    for lock in LOCKS:
        wanted = (PROJECT / lock.replace(".txt", ".in")).read_text()
        names = {re.split(r"[\[<>= ]", line)[0] for line in wanted.splitlines() if line[:1].isalpha()}
        locked = {name.split("[")[0] for name, _ in PINNED.findall((PROJECT / lock).read_text())}
        assert names <= locked


def test_the_platforms_description_is_json_and_names_the_secrets() -> None:
    described = json.loads((PROJECT / "app.json").read_text())
    assert {"SECRET_KEY", "ENCRYPTION_KEYS", "AUDIT_KEYS"} <= described["env"].keys()


def test_every_process_of_the_platform_exists() -> None:
    lines = dict(line.split(": ", 1) for line in (PROJECT / "Procfile").read_text().splitlines())
    assert lines.keys() == {"release", "web", "worker", "scheduler"}
    for module in re.findall(r"-m ([a-z_.]+)", " ".join(lines.values())):
        assert (PROJECT / f"{module.replace('.', '/')}.py").exists()
