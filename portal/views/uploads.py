"""Customers and invoices from a CSV file: choose it, say what its columns are, look, take in once, undo."""

import re
from decimal import Decimal
from functools import partial
from typing import Any

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for

from portal.access.form_tokens import redraws_form
from portal.access.permissions import Permission, requires
from portal.csv_in import UnreadableFile
from portal.extensions import db
from portal.forms.uploads import ColumnsForm, UploadFileForm
from portal.models import ImportFile, ImportKind
from portal.queries import imports, uploads
from portal.uploads import arriving, asking, choice, staging, undoing, work
from portal.uploads.undoing import CannotUndo
from portal.web import exports, htmx

pages = Blueprint("uploads", __name__, url_prefix="/p/<partner_slug>/imports/files")

# Numbers that no spreadsheet takes for more: they stay numbers in the file that is given out.
PLAIN = re.compile(r"-\d{1,15}(\.\d{1,6})?")
LATE = "This file was taken in before. Undo it first, or upload a corrected one."


@pages.get("/new")
@requires(Permission.EDIT_RECORDS)
def new() -> Any:
    kind = request.args.get("kind")
    form = UploadFileForm(formdata=None, kind=kind if kind in set(ImportKind) else ImportKind.INVOICES.value)
    return render_template("uploads/new.html", form=form)


@pages.post("/new")
@requires(Permission.EDIT_RECORDS)
@redraws_form
def create() -> Any:
    form = UploadFileForm()
    if not form.validate():
        return render_template("uploads/new.html", form=form), 422
    try:
        sent = form.file.data
        file = arriving.receive(g.actor, ImportKind(form.kind.data), sent.filename or "", sent.stream)
    except UnreadableFile as fault:
        db.session.rollback()
        form.file.errors = [str(fault)]
        return render_template("uploads/new.html", form=form), 422
    db.session.commit()
    if file.headings:
        return redirect(url_for("uploads.columns", file_id=file.id), 303)
    work.begin(file)
    return redirect(url_for("uploads.show", file_id=file.id), 303)


@pages.get("/<int:file_id>/columns")
@requires(Permission.EDIT_RECORDS)
def columns(file_id: int) -> Any:
    file = _file(file_id)
    if not file.headings:
        return redirect(url_for("uploads.show", file_id=file_id), 303)
    form = ColumnsForm(formdata=None)
    form.show(file, staging.sample(file))
    form.choose(choice.from_kept(file.choice))
    return render_template("uploads/columns.html", form=form, shown=uploads.shown(file))


@pages.post("/<int:file_id>/columns")
@requires(Permission.EDIT_RECORDS)
@redraws_form
def read(file_id: int) -> Any:
    file = _file(file_id)
    form = ColumnsForm()
    form.show(file, staging.sample(file))
    if not form.validate():
        return render_template("uploads/columns.html", form=form, shown=uploads.shown(file)), 422
    if not asking.read(g.actor, file, form.choice):
        flash(LATE, "warning")
    db.session.commit()
    work.begin(file)
    return redirect(url_for("uploads.show", file_id=file_id), 303)


@pages.get("/<int:file_id>")
@requires(Permission.VIEW)
def show(file_id: int) -> Any:
    file = _file(file_id)
    chosen = uploads.filter_from(request.args)
    shown = uploads.shown(file)
    return htmx.render(
        "uploads/show.html",
        "imports/_records.html",
        shown=shown,
        chosen=chosen,
        page=uploads.records(file, chosen),
        results=imports.RESULTS,
        day=uploads.day_to_look_at(file) if shown.is_checked else None,
        address=partial(url_for, "uploads.show", file_id=file.id),
    )


@pages.post("/<int:file_id>/take")
@requires(Permission.EDIT_RECORDS)
def take(file_id: int) -> Any:
    file = _file(file_id)
    asked = asking.take(g.actor, file)
    db.session.commit()
    if asked:
        work.begin(file)
    return htmx.redirect(url_for("uploads.show", file_id=file_id))


@pages.post("/<int:file_id>/discard")
@requires(Permission.EDIT_RECORDS)
def discard(file_id: int) -> Any:
    file = _file(file_id)
    if not asking.discard(file):
        db.session.rollback()
        flash(LATE, "warning")
        return htmx.redirect(url_for("uploads.show", file_id=file_id))
    db.session.commit()
    flash("The file was thrown away. Nothing of it was taken in.", "success")
    return htmx.redirect(url_for("imports.index"))


@pages.get("/<int:file_id>/undo")
@requires(Permission.UNDO_UPLOADS)
def ask_undo(file_id: int) -> Any:
    return _ask_undo(_file(file_id))


@pages.post("/<int:file_id>/undo")
@requires(Permission.UNDO_UPLOADS)
def undo(file_id: int) -> Any:
    file = _file(file_id)
    try:
        asked = asking.undo(g.actor, file)
    except CannotUndo:
        db.session.rollback()
        return _ask_undo(_file(file_id), 422)
    db.session.commit()
    if asked:
        work.begin(file)
    return htmx.redirect(url_for("uploads.show", file_id=file_id))


@pages.get("/<int:file_id>/refused.csv")
@requires(Permission.EXPORT)
def refused(file_id: int) -> Any:
    file = _file(file_id)
    headings = ("Row", *file.headings, "Why")
    return exports.send(
        exports.Table(
            f"refused of {file.name}",
            headings,
            uploads.refused_rows(file),
            _refused_cells(len(file.headings)),
        )
    )


def _refused_cells(wide: int) -> Any:
    def cells(row: Any) -> list[object]:
        padded = [*row.cells, *[""] * (wide - len(row.cells))]
        told = [Decimal(cell) if PLAIN.fullmatch(cell) else cell for cell in padded]
        return [row.place, *told, uploads.why(row.reasons)]

    return cells


def _ask_undo(file: ImportFile, status: int = 200) -> Any:
    shown, refusal = uploads.shown(file), ""
    if not shown.is_taken:
        return htmx.redirect(url_for("uploads.show", file_id=file.id))
    try:
        undoing.refuse(file)
    except CannotUndo as error:
        refusal = str(error)
    return htmx.render(
        "uploads/undo.html",
        "uploads/_undo.html",
        status=status,
        shown=shown,
        refusal=refusal,
        will=undoing.consequence(file),
    )


def _file(file_id: int) -> ImportFile:
    return asking.get(file_id) or abort(404)
