"""A browser and an address as a person would name them."""

import ipaddress
import re

# The first that fits: many call themselves by the names of others as well.
BROWSERS = (
    ("Edge", r"Edg(e|A|iOS)?/"), ("Opera", r"OPR/|Opera"), ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"Firefox/|FxiOS/"), ("Chrome", r"Chrome/|CriOS/|Chromium/"), ("Safari", r"Safari/"),
)  # fmt: skip
SYSTEMS = (
    ("iPhone", r"iPhone"), ("iPad", r"iPad"), ("Android", r"Android"), ("Windows", r"Windows"),
    ("Chromebook", r"CrOS"), ("Mac", r"Macintosh|Mac OS"), ("Linux", r"Linux|X11"),
)  # fmt: skip


def device(user_agent: str) -> str:
    """Such as "Firefox on Windows"; "An unknown browser" for what names neither."""
    browser = next((name for name, mark in BROWSERS if re.search(mark, user_agent)), "")
    system = next((name for name, mark in SYSTEMS if re.search(mark, user_agent)), "")
    if not browser and not system:
        return "An unknown browser"
    return f"{browser or 'A browser'} on {system or 'an unknown system'}"


def place(address: str) -> str:
    """Such as "203.0.113.7", "this machine" or "your own network (10.0.0.7)"."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return "an unknown address"
    if known.is_loopback:
        return "this machine"
    return f"your own network ({known})" if known.is_private else str(known)


def origin(user_agent: str, address: str) -> str:
    """Both, such as "Firefox on Windows, 203.0.113.7"; empty where neither is known."""
    return f"{device(user_agent)}, {place(address)}" if user_agent or address else ""
