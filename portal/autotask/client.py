"""Calls to one partner's Autotask. It knows no database; what follows is the caller's business."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from portal.autotask import addresses, filters, wire
from portal.autotask.budget import Threshold
from portal.autotask.calls import CallInfo, Calls, Credentials, Gate
from portal.autotask.deadlines import Timeouts
from portal.autotask.documents import Pdf, pdf
from portal.autotask.errors import Misshapen, NotFound, Rejected
from portal.autotask.paging import LARGEST_PAGE, id_of
from portal.autotask.reading import Question, Reading

__all__ = ["CallInfo", "Client", "Credentials", "Pdf", "Timeouts"]

_ENTITY = re.compile(r"[A-Za-z]+")


class Client:
    """A session with one zone. Threads may share it: its calls come one after the other.

    `gate(endpoint)` is entered around each HTTP call, `on_call(CallInfo)` told after it. Reads are tried
    at most three times within one time limit, writes once, a refused login never again.
    """

    def __init__(
        self,
        zone_url: str,
        credentials: Credentials,
        *,
        trusted_hosts: Iterable[str],
        gate: Gate | None = None,
        on_call: Callable[[CallInfo], None] | None = None,
        timeouts: Timeouts | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base = addresses.base_address(zone_url, trusted_hosts)
        self._calls = Calls(credentials, gate=gate, on_call=on_call, timeouts=timeouts, sleep=sleep)

    @property
    def address(self) -> str:
        """Where its calls go."""
        return self._base.url

    @property
    def calls(self) -> int:
        """HTTP calls made so far, repeated ones included."""
        return self._calls.made

    def __repr__(self) -> str:
        return f"<Client {self._base.host}>"

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._calls.close()

    def pages(
        self,
        entity: str,
        filter: filters.Filter,
        *,
        include_fields: Sequence[str] | None = None,
        page_size: int = LARGEST_PAGE,
        after_id: int = 0,
    ) -> Iterator[list[dict[str, Any]]]:
        """Pages of raw rows, ids ascending and above `after_id`, each id once; only ever whole pages.

        A loop or a page that goes back raises Unavailable, a next page elsewhere Untrusted, one that is refused
        is gone on from by ID.
        """
        question = Question(filters.listed(filter), include_fields, page_size)

        def ask(url: str, body: bytes) -> dict[str, Any]:
            return self._calls.read("POST", url, entity, body)

        yield from Reading(ask, self._url(entity, "query"), self._base, question, after_id).pages()

    def count(self, entity: str, filter: filters.Filter) -> int:
        """How many rows match."""
        body = wire.dumps({"filter": filters.listed(filter)})
        content = self._calls.read("POST", self._url(entity, "query/count"), entity, body)
        return _whole(content.get("queryCount"))

    def get(self, entity: str, id: int) -> dict[str, Any]:
        """One raw row; NotFound when Autotask answers 404 or no item."""
        content = self._by_id(entity, str(int(id)))
        item = content.get("item", content)
        if item is None:
            raise NotFound(f"Autotask has no such record in {entity}.")
        if not isinstance(item, dict) or id_of(item) != int(id):
            raise Misshapen("Autotask answered with something else than the record that was asked for.")
        return item

    def patch(self, entity: str, body: Mapping[str, Any]) -> None:
        """Change the named fields of the record `body["id"]`.

        Unavailable(maybe_applied=True) means that the outcome is unknown.
        """
        self._calls.write("PATCH", self._url(entity), entity, wire.dumps(dict(body)))

    def put(self, entity: str, body: Mapping[str, Any]) -> None:
        """Replace the writable fields of the record `body["id"]`; those left out are cleared by Autotask."""
        self._calls.write("PUT", self._url(entity), entity, wire.dumps(dict(body)))

    def invoice_pdf(self, id: int) -> Pdf:
        """The printed invoice; BadRecord when what comes is no PDF or beyond 15 MB."""
        return pdf(self._by_id("Invoices", f"{int(id)}/InvoicePdf"), int(id))

    def entity_information(self, entity: str) -> dict[str, Any]:
        """What this API user may do with an entity (canQuery, userAccessForQuery and so on)."""
        info = self._calls.read("GET", self._url(entity, "entityInformation"), entity).get("info")
        if not isinstance(info, dict):
            raise Misshapen("Autotask's answer does not say what the API user may do.")
        return info

    def fields(self, entity: str) -> list[dict[str, Any]]:
        """Autotask's description of an entity's own fields."""
        return self._described(entity, "fields")

    def user_defined_fields(self, entity: str) -> list[dict[str, Any]]:
        """Autotask's description of the fields that the partner added."""
        return self._described(entity, "userDefinedFields")

    def picklist(self, entity: str, field: str) -> list[tuple[int, str]]:
        """(value, label) of a field's choices in the partner's order; labels of retired ones say so."""
        return self.picklists(entity, [field])[field]

    def picklists(self, entity: str, fields: Iterable[str]) -> dict[str, list[tuple[int, str]]]:
        """The choices of several fields, in one call; none for a field that Autotask does not describe."""
        described = {str(one.get("name")).lower(): one.get("picklistValues") for one in self.fields(entity)}
        return {field: _choices(described.get(field.lower())) for field in fields}

    def threshold(self) -> Threshold:
        """How much of the shared hourly budget is used; the call itself counts."""
        content = self._calls.read("GET", self._url("ThresholdInformation"), "ThresholdInformation")
        return Threshold(
            limit=_whole(content.get("externalRequestThreshold")),
            minutes=_whole(content.get("requestThresholdTimeframe")),
            used=_whole(content.get("currentTimeframeRequestCount")),
        )

    def currencies(self) -> list[dict[str, Any]]:
        """All raw currency rows."""
        return [row for page in self.pages("Currencies", filters.everything()) for row in page]

    def _by_id(self, entity: str, rest: str) -> dict[str, Any]:
        """A read below one record's URL, where a 404 in whatever form means that the record is missing."""
        try:
            return self._calls.read("GET", self._url(entity, rest), entity)
        except Rejected as error:
            if error.status != 404:
                raise
            raise NotFound(f"Autotask has no such record in {entity}.", status=404) from None

    def _described(self, entity: str, which: str) -> list[dict[str, Any]]:
        content = self._calls.read("GET", self._url(entity, f"entityInformation/{which}"), entity)
        listed = content.get("fields")
        if not isinstance(listed, list):
            raise Misshapen("Autotask's answer holds no list of fields.")
        return [item for item in listed if isinstance(item, dict)]

    def _url(self, entity: str, rest: str = "") -> str:
        if not _ENTITY.fullmatch(entity):
            raise ValueError(f"{entity!r} is not the name of an Autotask entity")
        return f"{self._base.url}V1.0/{entity}" + (f"/{quote(rest)}" if rest else "")


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise Misshapen("Autotask's answer holds no number where one belongs.")
    return value


def _choices(values: object) -> list[tuple[int, str]]:
    found = [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
    found.sort(key=_sort_order)
    return [_choice(value) for value in found if re.fullmatch(r"-?[0-9]{1,18}", str(value.get("value")))]


def _sort_order(value: dict[str, Any]) -> int:
    order = value.get("sortOrder")
    return order if type(order) is int else 0


def _choice(value: dict[str, Any]) -> tuple[int, str]:
    label = " ".join(str(value.get("label") or value["value"]).split())[:200]
    return int(value["value"]), label + (" (inactive)" if value.get("isActive") is False else "")
