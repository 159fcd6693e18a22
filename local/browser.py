"""Finds Chromium for the browser tests, and installs it where that is customary."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from local.environment import SetupFailed, run, say

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ASK_PLAYWRIGHT = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""


def chromium() -> str:
    """The path of a Chromium, installed if there is none. Raises SetupFailed with the command to run."""
    found = os.environ.get("CHROMIUM") or present()
    if found and shutil.which("curl"):
        return found
    if platform.system() == "Linux" and shutil.which("apt-get"):
        install_with_apt()
    else:
        say("Installing Chromium with Playwright (about 150 MB, once)")
        run([sys.executable, "-m", "playwright", "install", "chromium"])
    found = present()
    if not found:
        raise SetupFailed(f"No browser found. Run: {sys.executable} -m playwright install chromium")
    return found


def present() -> str | None:
    for name in NAMES:
        if path := shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/bin:/snap/bin"):
            return path
    return playwrights_own()


def playwrights_own() -> str | None:
    done = subprocess.run([sys.executable, "-c", ASK_PLAYWRIGHT], capture_output=True, text=True)
    path = done.stdout.strip()
    return path if path and Path(path).exists() else None


def install_with_apt() -> None:
    """Chromium, and curl, with which the examples of docs/api.md are run."""
    command = "apt-get update && apt-get install -y --no-install-recommends chromium curl"
    if os.geteuid():
        raise SetupFailed(f"The browser tests need Chromium. Run: sudo sh -c '{command}'")
    say(f"Installing Chromium and curl: {command}")
    run(["apt-get", "update", "-qq"])
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "curl"])
