"""The second step of a login, and proving again that it is you before what matters; then back to where you were."""

from typing import Any

from flask import Blueprint, current_app, g, redirect, render_template, request, url_for
from itsdangerous import BadData, URLSafeTimedSerializer

from portal.access import form_tokens, freshness, passkeys, proving, security_events, sessions
from portal.access.form_tokens import redraws_form
from portal.access.permissions import signed_in
from portal.access.who_needs_a_factor import Step, open_at
from portal.extensions import db
from portal.forms.proofs import CodeForm, PasswordProofForm
from portal.forms.session import PasskeyForm
from portal.models import LOGIN_STARTED
from portal.queries import proofs
from portal.web import error_pages, htmx
from portal.web.own_path import own_path

pages = Blueprint("proofs", __name__)
WRONG_CODE = "This code does not fit, or was used already. Wait for the next one, or use a recovery code."
WRONG_PASSWORD = "This is not your password."  # noqa: S105 - a sentence
WRONG_PASSKEY = "This passkey was not accepted. Try again, or use a code."
KEPT_FOR = 3600  # seconds
MOST_KEPT = 20_000  # characters
NOT_KEPT = ("password", "secret", "current", "csrf_token")


@pages.get("/prove")
@signed_in
@open_at(Step.PROVE)
def new() -> Any:
    target = own_path(request.args.get("next"))
    if g.halfway is None and freshness.is_fresh(g.login_session):
        return redirect(target or url_for("account.show"), 303)
    return _page(target or "", "")


@pages.post("/prove")
@signed_in
@open_at(Step.PROVE)
@redraws_form
def create() -> Any:
    login = g.login_session
    form: CodeForm | PasswordProofForm = CodeForm() if login.user.second_factor_at else PasswordProofForm()
    if not form.validate():
        return _page(form.next.data, form.typed.data, form=form, status=422)
    if isinstance(form, CodeForm):
        right, field, words = proving.with_code(login, form.code.data), form.code, WRONG_CODE
    else:
        right, field, words = proving.with_password(login, form.password.data), form.password, WRONG_PASSWORD
    if not right:
        field.errors = [words]
        return _page(form.next.data, form.typed.data, form=form, status=422)
    return _go_on("code", form.next.data, form.typed.data)


@pages.post("/prove/passkey")
@signed_in
@open_at(Step.PROVE)
def create_with_passkey() -> Any:
    form, login = PasskeyForm(), g.login_session
    factor = passkeys.proved(form.answer.data, form.challenge.data, login.user) if form.validate() else None
    if factor is None:
        db.session.rollback()
        return _page(form.next.data, form.typed.data, status=422, refused=WRONG_PASSKEY)
    proving.proved(login, factor)
    return _go_on("passkey", form.next.data, form.typed.data)


@pages.app_errorhandler(freshness.NotFresh)
def ask(_: freshness.NotFresh) -> Any:
    """A page is opened again afterwards; a form is asked to be sent again, with what was typed."""
    if form_tokens.refused():
        return error_pages.answer(400, error_pages.FORM_EXPIRED)  # what a stranger may have typed is not kept
    db.session.rollback()
    if request.method == "GET" or htmx.is_fragment():
        whole = request.full_path.rstrip("?") if request.method == "GET" else sessions.page_to_return_to()
        return htmx.redirect(url_for("proofs.new", next=whole))
    return _page(sessions.page_to_return_to() or "", _keep(), status=403)


def _go_on(how: str, target: str | None, typed: str | None) -> Any:
    if g.halfway is not None:
        security_events.note(g.true_user, LOGIN_STARTED, how=how)
    db.session.commit()
    if kept := _kept(typed):
        path, fields = kept
        return render_template("proofs/again.html", path=path, fields=fields, back=own_path(target))
    return redirect(own_path(target) or url_for("partners.index"), 303)


def _page(
    target: str | None, typed: str | None, *, form: Any = None, status: int = 200, refused: str = ""
) -> Any:
    user, hidden = g.login_session.user, {"next": own_path(target) or "", "typed": typed or ""}
    ways = proofs.ways(user)
    if form is None:
        form = (CodeForm if user.second_factor_at else PasswordProofForm)(formdata=None, data=hidden)
    offer = passkeys.to_prove(user) if ways.passkey and passkeys.possible() else None
    page = render_template(
        "proofs/new.html", form=form, ways=ways, offer=offer, refused=refused, person=user, **hidden
    )
    return page, status


def _keep() -> str:
    """What was typed into the form that has to wait, without passwords and files, signed for this login."""
    fields = [
        (name, value)
        for name, values in request.form.lists()
        for value in values
        if not any(word in name for word in NOT_KEPT)
    ]
    whole = [g.login_session.id, request.full_path.rstrip("?"), fields]
    signed = str(_signer().dumps(whole))
    return signed if len(signed) <= MOST_KEPT else ""


def _kept(typed: str | None) -> tuple[str, list[tuple[str, str]]] | None:
    try:
        login_id, path, fields = _signer().loads(typed or "", max_age=KEPT_FOR)
    except (BadData, ValueError):
        return None
    return (path, fields) if login_id == g.login_session.id else None


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="typed")
