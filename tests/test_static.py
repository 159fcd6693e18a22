"""Vendored files are what they claim to be; no template needs what a strict content policy forbids."""

import hashlib
import re
from pathlib import Path

import pytest
from flask import Flask

from local import kit_command
from portal.web import assets

ROOT = Path(__file__).parents[1]
VENDOR = ROOT / "static" / "vendor"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
INLINE = {
    "a style attribute": r"<[^>]*\sstyle\s*=",
    "a style element": r"<style\b",
    "an inline script": r"<script\b(?![^>]*\bsrc=)",
    "an event attribute": r"<[^>]*\son[a-z]+\s*=",
    "hx-on or js:": r"hx-on|js:|javascript:",
    "another host": r"(?:src|href|action)\s*=\s*[\"'](?:https?:)?//(?!www\.w3\.org)",
}


def checksums() -> list[tuple[str, str]]:
    text = (VENDOR / "README.md").read_text()
    return [(path, mark) for mark, path in re.findall(r"^([0-9a-f]{64})  (\S+)$", text, re.MULTILINE)]


@pytest.mark.parametrize(("path", "mark"), checksums())
def test_a_vendored_file_has_its_checksum(path: str, mark: str) -> None:
    assert hashlib.sha256((VENDOR / path).read_bytes()).hexdigest() == mark


def test_pages_get_of_the_kit_what_they_use() -> None:
    """A class of Tabler that a template uses for the first time: run bin/kit."""
    same = kit_command.CUT.read_text(encoding="utf-8") == kit_command.cut()
    assert same, "Run bin/kit and commit static/kit.css."


def test_every_vendored_file_is_listed() -> None:
    listed = {(VENDOR / path).resolve() for path, _ in checksums()}
    there = {path for path in VENDOR.iterdir() if path.name != "README.md"}
    assert there <= listed
    assert len(listed) == len(there) + 2


@pytest.mark.parametrize("what", INLINE)
def test_no_template_holds(what: str) -> None:
    found = [str(path) for path in TEMPLATES if re.search(INLINE[what], _without_jinja(path.read_text()))]
    assert found == []


# A loop over names that are written there.
FIXED_NAMES = "answer[name] ="


def test_no_script_of_ours_writes_to_a_name_that_came_from_elsewhere() -> None:
    """What makes prototype pollution possible: merging objects, or writing to a computed name."""
    merges = re.compile(
        r"Object\.(?:assign|defineProperty|fromEntries|setPrototypeOf)|__proto__|\bin\b[^\n]*\) *\{|\] *(?:\?\?|\|\|)?=(?![=>])"
    )
    ours = list(VENDOR.parent.glob("*.js"))
    assert len(ours) >= 3
    for path in ours:
        found = [
            line
            for line in path.read_text().splitlines()
            if merges.search(line) and not re.match(r" *(?:const|let) [\[{]", line)
        ]
        assert [line for line in found if FIXED_NAMES not in line] == [], path


def test_every_icon_named_in_templates_and_badges_is_in_the_sprite() -> None:
    from portal.web.navigation import PARTNER, STAFF
    from portal.web.state_badges import BADGES

    sprite = set(re.findall(r'<symbol id="([^"]+)"', (VENDOR / "tabler-icons-3.51.0.svg").read_text()))
    named = {badge.icon for badge in BADGES.values()} | {entry.icon for entry in (*PARTNER, *STAFF)}
    for path in TEMPLATES:
        named |= set(re.findall(r'(?:icon\(|"icon": |icon_name=)"([a-z][a-z0-9-]+)"', path.read_text()))
    assert named - sprite == set()


def test_a_page_of_a_prepared_process_looks_at_no_file(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.extensions, "assets", {})
    with app.test_request_context():
        before = assets.asset("kit.css")
        assets.prepare(app)
        monkeypatch.setattr(Path, "stat", lambda *_, **__: pytest.fail("looked at the disk"))
        assert assets.asset("kit.css") == before
        assert assets.send("kit.css").status_code == 200


def _without_jinja(text: str) -> str:
    return re.sub(r"\{%.*?%\}|\{#.*?#\}|\{\{.*?\}\}", "", text, flags=re.DOTALL)
