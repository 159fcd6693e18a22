"""Second factors of one's own login: set up, name, remove; recovery codes."""

from typing import Any

from flask import Blueprint, abort, flash, g, make_response, render_template, request, url_for

from portal.access import factors, passkeys, proving, recovery_codes, security_events, spent, totp
from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import signed_in
from portal.access.who_needs_a_factor import Step, open_at
from portal.extensions import db
from portal.forms.proofs import AuthenticatorForm, FactorNameForm, NewPasskeyForm
from portal.models import LOGIN_STARTED, Factor
from portal.web import htmx
from portal.web.own_path import own_path

pages = Blueprint("factors", __name__, url_prefix="/you/factors")
WRONG_CODE = (
    "This is not the code that the app shows for this picture. Look again; each code is good for 30 seconds."
)
TOO_OLD = "This page was open too long. Here is a new picture; scan this one instead."
SENT_TWICE = (
    "It is set up already. Its recovery codes were shown once: if you did not keep them, make new ones below."
)
NO_PASSKEY = "The browser's answer was not accepted. Try once more."
ENOUGH = f"You have {factors.MOST} already. Remove one first."


@pages.get("")
@signed_in
@open_at(Step.SET_UP)
@fresh
def index() -> Any:
    return render_template("factors/index.html", next=_next(), no_passkeys=passkeys.why_not())


@pages.get("/authenticator")
@signed_in
@open_at(Step.SET_UP)
@fresh
def new_authenticator() -> Any:
    return _authenticator(AuthenticatorForm(formdata=None, data={"name": "My phone"}))


@pages.post("/authenticator")
@signed_in
@open_at(Step.SET_UP)
@redraws_form
@fresh
def create_authenticator() -> Any:
    form, login = AuthenticatorForm(), g.login_session
    if spent.is_spent("offer", form.offer.data):
        return _sent_twice()
    secret = totp.offered(login, form.offer.data or "")
    if not form.validate():
        return _authenticator(form, secret, 422)
    step = totp.fitting_step(secret, form.code.data) if secret else None
    if secret is None or step is None:
        form.code.errors = [WRONG_CODE if secret else TOO_OLD]
        return _authenticator(form, secret, 422)
    if not spent.spend("offer", form.offer.data) or _enough():
        form.code.errors = [ENOUGH if _enough() else TOO_OLD]
        return _authenticator(form, None, 422)
    factor = totp.add(login.user, form.name.data, secret)
    spent.spend("totp", factor.id, step)
    return _added(factor, form.next.data)


@pages.get("/passkey")
@signed_in
@open_at(Step.SET_UP)
@fresh
def new_passkey() -> Any:
    return _passkey(NewPasskeyForm(formdata=None, data={"name": "This device"}))


@pages.post("/passkey")
@signed_in
@open_at(Step.SET_UP)
@redraws_form
@fresh
def create_passkey() -> Any:
    form, user = NewPasskeyForm(), g.login_session.user
    if not form.validate():
        return _passkey(form, 422)
    if passkeys.was_used(form.challenge.data):
        return _sent_twice()
    if _enough():
        form.name.errors = [ENOUGH]
        return _passkey(form, 422)
    factor = passkeys.add(user, form.name.data, form.answer.data, form.challenge.data)
    if factor is None:
        db.session.rollback()
        form.name.errors = [NO_PASSKEY]
        return _passkey(form, 422)
    return _added(factor, form.next.data)


@pages.get("/<int:factor_id>/name")
@signed_in
def edit(factor_id: int) -> Any:
    factor = _mine(factor_id)
    return render_template(
        "factors/edit.html", factor=factor, form=FactorNameForm(formdata=None, data={"name": factor.name})
    )


@pages.post("/<int:factor_id>/name")
@signed_in
def update(factor_id: int) -> Any:
    factor, form = _mine(factor_id), FactorNameForm()
    if not form.validate():
        return render_template("factors/edit.html", factor=factor, form=form), 422
    factor.name = form.name.data
    db.session.commit()
    return htmx.redirect(url_for("account.show", _anchor="factors"))


@pages.get("/<int:factor_id>/remove")
@signed_in
@fresh
def confirm_removing(factor_id: int) -> Any:
    return _removing(_mine(factor_id))


@pages.post("/<int:factor_id>/remove")
@signed_in
@fresh
def destroy(factor_id: int) -> Any:
    factor = _mine(factor_id)
    try:
        factors.remove(g.login_session, factor)
    except factors.CannotRemove as refusal:
        return _removing(factor, str(refusal), 422)
    db.session.commit()
    flash(f"“{factor.name}” opens nothing any more. Other browsers were logged out.", "success")
    return htmx.redirect(url_for("account.show", _anchor="factors"))


@pages.post("/recovery-codes")
@signed_in
@fresh
def create_codes() -> Any:
    user = g.true_user
    if user.second_factor_at is None:
        flash("Recovery codes stand in for a second factor. Add one first.", "warning")
        return htmx.redirect(url_for("account.show", _anchor="factors"))
    codes = recovery_codes.make_anew(user)
    security_events.record(user, security_events.CODES_MADE)
    db.session.commit()
    return _codes(codes, "")


def _added(factor: Factor, target: str | None) -> Any:
    """A factor that was just proved opens this login; the first one comes with recovery codes."""
    login = g.login_session
    factors.added(login, factor)
    proving.proved(login, factor)
    if g.halfway is not None:
        security_events.note(login.user, LOGIN_STARTED, how="a new factor")
    if recovery_codes.left(login.user):
        db.session.commit()
        flash(f"“{factor.name}” is set up. Other browsers were logged out.", "success")
        return htmx.redirect(own_path(target) or url_for("account.show", _anchor="factors"))
    codes = recovery_codes.make_anew(login.user)
    db.session.commit()
    return _codes(codes, target)


def _sent_twice() -> Any:
    """The page with the codes was loaded again, or its form sent by two clicks: the factor is there."""
    flash(SENT_TWICE, "warning")
    return htmx.redirect(url_for("account.show", _anchor="factors"))


def _codes(codes: list[str], target: str | None) -> Any:
    after = own_path(target) or url_for("account.show", _anchor="factors")
    answer = make_response(render_template("factors/codes.html", codes=codes, after=after), 201)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _authenticator(form: AuthenticatorForm, secret: str | None = None, status: int = 200) -> Any:
    login, secret = g.login_session, secret or totp.new_secret()
    form.offer.data, form.next.data = totp.offer(login, secret), _next()
    picture = totp.picture(totp.uri(login.user, secret))
    page = render_template("factors/authenticator.html", form=form, secret=secret, picture=picture)
    return _unkept(page, status)


def _passkey(form: NewPasskeyForm, status: int = 200) -> Any:
    offer = passkeys.to_add(g.login_session.user) if passkeys.possible() else None
    form.next.data = _next()
    return _unkept(
        render_template("factors/passkey.html", form=form, offer=offer, no_passkeys=passkeys.why_not()),
        status,
    )


def _removing(factor: Factor, refused: str = "", status: int = 200) -> Any:
    return render_template("factors/remove.html", factor=factor, refused=refused, kinds=factors.KINDS), status


def _unkept(page: str, status: int) -> Any:
    answer = make_response(page, status)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _next() -> str:
    return own_path(request.values.get("next")) or ""


def _enough() -> bool:
    return len(factors.of(g.login_session.user)) >= factors.MOST


def _mine(factor_id: int) -> Factor:
    return next((one for one in factors.of(g.true_user) if one.id == factor_id), None) or abort(404)
