"""Zone discovery: on which of its hosts Autotask keeps a partner's data. Needs no credentials."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from portal.autotask import addresses, answers
from portal.autotask.deadlines import Timeouts
from portal.autotask.errors import Unavailable, UnknownUser
from portal.autotask.transport import Transport

_LONGEST_USER = 255


@dataclass(frozen=True, slots=True)
class Zone:
    """`url` is checked and ends with "/"; `web_url` is for links, "" when it is not Autotask's."""

    url: str
    web_url: str
    name: str
    ci: int | None


def discover(
    username: str, *, discovery_url: str, trusted_hosts: Iterable[str], timeouts: Timeouts | None = None
) -> Zone:
    """The zone of an API user. Raises UnknownUser, Untrusted or another AutotaskError; asks once only."""
    hosts = list(trusted_hosts) if not isinstance(trusted_hosts, str) else trusted_hosts.split(",")
    name = username.strip()
    if not name or len(name) > _LONGEST_USER or not name.isprintable():
        raise UnknownUser("Autotask does not know this user name.")
    url = addresses.discovery_address(discovery_url, hosts) + "?user=" + quote(name, safe="")
    transport = Transport(timeouts=timeouts)
    try:
        answer = transport.send("GET", url)
    finally:
        transport.disconnect()
    return _zone(answers.understood(answer, "zone information", write=False), hosts)


def _zone(content: dict[str, Any], hosts: list[str]) -> Zone:
    url = content.get("url")
    if not isinstance(url, str) or not url.strip():
        raise Unavailable("Autotask did not say where this account lives.")
    name, ci = content.get("zoneName"), content.get("ci")
    return Zone(
        url=addresses.base_address(url.strip(), hosts).url,
        web_url=addresses.page_address(content.get("webUrl"), hosts),
        name=" ".join(name.split())[:100] if isinstance(name, str) and name.isprintable() else "",
        ci=ci if isinstance(ci, int) and not isinstance(ci, bool) else None,
    )
