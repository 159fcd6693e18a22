"""`responses` in the place of the wire: the portal speaks urllib3, and `responses` knows requests alone."""

from collections.abc import Callable
from typing import Any

import requests
import responses
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ProtocolError

from portal.autotask.transport import HEADERS, Answer, Transport


class Answers(responses.RequestsMock):
    """Answers in the place of Autotask's; what a call would have sent is in `calls`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(target="portal.autotask.transport.Transport._exchange", **options)

    def unbound_on_send(self) -> Callable[..., Any]:
        def exchange(transport: Transport, method: str, url: str, body: bytes | None) -> Answer:
            request = requests.Request(method, url, headers=HEADERS, data=body).prepare()
            transport._sign(request.headers.__setitem__)
            try:
                came = self._on_request(HTTPAdapter(), request)
            except requests.ConnectionError as error:
                raise ProtocolError(str(error)) from error
            kind, wait = came.headers.get("Content-Type", ""), came.headers.get("Retry-After", "")
            return Answer(came.status_code, kind, wait, came.content)

        return exchange
