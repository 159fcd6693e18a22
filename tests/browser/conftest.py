"""A real Chromium, its pages with the scheme and width a test asks for, and axe."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.serving import Quiet as Quiet
from tests.browser.serving import serve
from tests.browser.styleguide import create_styleguide

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
AXE = Path(__file__).parent / "vendor" / "axe-4.14.1.min.js"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The machine's Chromium, or Playwright's own; a missing one is an error that names the command."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """`open_page(width=1280, scheme="light", script=True)`; what the page complains about fails the test."""
    contexts = []
    complaints: list[str] = []

    def new(width: int = 1280, scheme: Any = "light", script: bool = True, height: int = 900) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme,
            reduced_motion="reduce", java_script_enabled=script,
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.extend(complaint(line.type, line.text)))
        return page

    yield new
    for context in contexts:
        context.close()
    assert complaints == []


def wear(page: Page, width: int, scheme: Any) -> None:
    """The open page as another screen shows it, without being loaded again."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)


def complaint(kind: str, text: str) -> list[str]:
    """An error on the console, but not a bad answer or none: tests provoke those, and htmx repeats them."""
    provoked = any(words in text for words in ("Failed to load resource", "htmx:", "Response Status Error"))
    return [text] if kind == "error" and not provoked else []


@pytest.fixture(scope="session")
def styleguide() -> Iterator[str]:
    """The address of the style guide."""
    with serve(create_styleguide()) as address:
        yield address


@pytest.fixture(scope="session")
def accessibility_faults() -> Callable[[Page], list[str]]:
    """What axe finds, one line a fault. Run through evaluate, because the page's policy bars script tags."""
    source = AXE.read_text()

    def faults(page: Page) -> list[str]:
        if page.evaluate("typeof axe") == "undefined":
            page.evaluate(source)
        found = page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations'], preload: false})",
            AXE_RULES,
        )
        return [f"{rule['id']}: {n['html'][:160]}" for rule in found["violations"] for n in rule["nodes"]]

    return faults
