"""What a partner's own system brought in: the list of batches, and the records of one."""

from functools import partial
from typing import Any

from flask import Blueprint, abort, request, url_for

from portal.access.permissions import Permission, requires
from portal.queries import imports, uploads
from portal.web import htmx

pages = Blueprint("imports", __name__, url_prefix="/p/<partner_slug>/imports")


@pages.get("")
@requires(Permission.VIEW)
def index() -> Any:
    return htmx.render(
        "imports/index.html",
        "imports/_table.html",
        page=imports.page(request.args),
        results=imports.LISTED,
        in_hand=uploads.in_hand(),
    )


@pages.get("/<int:import_id>")
@requires(Permission.VIEW)
def show(import_id: int) -> Any:
    batch = imports.batch(import_id) or abort(404)
    chosen = imports.filter_from(request.args)
    return htmx.render(
        "imports/show.html",
        "imports/_records.html",
        batch=batch,
        chosen=chosen,
        page=imports.records(batch.run, chosen),
        results=imports.LISTED,
        file=uploads.of_run(import_id),
        address=partial(url_for, "imports.show", import_id=import_id),
    )
