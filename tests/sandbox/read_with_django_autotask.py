"""Reads three entities with django-autotask, a public client in production use, exactly as it comes.

Run with the sandbox's address, user and secret; prints one JSON object: entity to the ids it read.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def configure(url: str, username: str, secret: str) -> None:
    import django
    from django.conf import settings

    settings.configure(
        AUTOTASK_SERVER_URL=f"{url}/atservicesrest/",
        AUTOTASK_CREDENTIALS={
            "username": username,
            "password": secret,
            "integration_code": "ANY",
            "rest_api_version": "1.0",
        },
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        INSTALLED_APPS=[],
        USE_TZ=True,
    )
    django.setup()


def read_all(client: Any, method: str) -> list[int]:
    """Follows the client's own paging to the end."""
    from djautotask.api import ApiCondition

    client.add_condition(ApiCondition(op="gte", field="id", value="0"))
    page = client.fetch_resource(method=method, page_size=25)
    found = [item["id"] for item in page["items"]]
    while page["pageDetails"]["nextPageUrl"]:
        page = client.fetch_resource(page["pageDetails"]["nextPageUrl"], method=method)
        found += [item["id"] for item in page["items"]]
    return found


def main() -> None:
    configure(*sys.argv[1:4])
    from djautotask import api

    clients = {
        "Companies": (api.AccountsAPIClient, "get"),
        "Contacts": (api.ContactsAPIClient, "get"),
        "BillingItems": (api.BillingItemsAPIClient, "post"),
    }
    found = {name: read_all(make(), method) for name, (make, method) in clients.items()}
    found["one company"] = api.AccountsAPIClient().get_single(found["Companies"][1])["item"]["id"]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
