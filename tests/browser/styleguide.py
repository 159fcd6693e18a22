"""A small app that shows every component, for the eye (`python -m tests.browser.styleguide`) and for axe."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace as Thing
from typing import Any

from flask import Flask, abort, g, render_template, request
from flask_wtf import CSRFProtect, FlaskForm
from jinja2 import ChoiceLoader, FileSystemLoader
from wtforms import BooleanField, DateField, PasswordField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Optional

from portal.web import assets, error_pages, htmx, live, security_headers, template_filters
from portal.web.navigation import PARTNER, STAFF

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


class PaymentForm(FlaskForm):
    amount = StringField("Amount", [InputRequired("Enter an amount, such as 250.00.")])
    method = SelectField(
        "Method", choices=[SelectChoice("transfer", "Bank transfer"), SelectChoice("cheque", "Cheque")]
    )
    paid_on = DateField("Date", [InputRequired("Enter the date of the payment.")])
    secret = PasswordField("Password (Secret)", [Optional()])
    reference = StringField("Reference", [Optional()])
    identifier = RadioField(
        "Number shown for an invoice",
        choices=[SelectChoice("number", "Invoice Number"), SelectChoice("id", "Autotask ID")],
    )
    active = BooleanField("Only active customers")


def create_styleguide() -> Flask:
    """The style guide, with the product's own headers, formatters and error pages."""
    app = Flask(
        __name__,
        template_folder=str(ROOT / "templates"),
        static_folder=str(ROOT / "static"),
        static_url_path="/static",
    )
    app.config.update(SECRET_KEY="only for tests", SESSION_COOKIE_SECURE=False)
    folders = (HERE / "templates", ROOT / "templates")
    app.jinja_loader = ChoiceLoader([FileSystemLoader(folder) for folder in folders])  # type: ignore[assignment]
    CSRFProtect(app)
    app.view_functions["static"] = assets.send
    security_headers.register(app)
    template_filters.register(app)
    error_pages.register(app)
    live.register(app)
    app.before_request(_identify)
    app.context_processor(_context)
    app.jinja_env.globals["left_out"] = list  # its pages have no filters
    _pages(app)
    for entry in (*PARTNER, *STAFF):
        where = "/p/<partner_slug>" if entry in PARTNER else "/staff"
        noun = entry.endpoint.partition(".")[0]
        app.add_url_rule(f"{where}/{noun}", entry.endpoint, _styleguide)
    for endpoint in ("search.show", "sessions.destroy", "support_visits.destroy", "partners.index"):
        app.add_url_rule(f"/x/{endpoint}", endpoint, _styleguide, methods=["GET", "POST"])
    return app


def _pages(app: Flask) -> None:
    app.add_url_rule("/", "styleguide", _styleguide)
    app.add_url_rule("/empty", "empty", lambda: render_template("empty_page.html"))
    app.add_url_rule("/login", "login", lambda: render_template("login_page.html", form=_form()))
    app.add_url_rule("/form", "form", _submit, methods=["GET", "POST"])
    app.add_url_rule("/dialog", "dialog", lambda: render_template("_dialog.html"))
    app.add_url_rule("/error/<int:status>", "error", lambda status: abort(status))
    app.add_url_rule("/fault", "fault", lambda: 1 / 0)


def _styleguide(partner_slug: str = "") -> str:
    return render_template("styleguide.html", form=_form(with_errors=True), **example())


def _submit() -> Any:
    form = PaymentForm()
    if form.validate_on_submit():
        return htmx.redirect("/empty")
    return htmx.render(
        "form_page.html", "_form.html", form=form, status=422 if request.method == "POST" else 200
    )


def _form(with_errors: bool = False) -> PaymentForm:
    form = PaymentForm(formdata=None, data={"amount": "250.00", "identifier": "number"})
    if with_errors:
        form.amount.errors = ["250.00 is more than the 120.00 that is still owed."]
        form.paid_on.errors = ["Enter the date of the payment."]
    return form


def _identify() -> None:
    g.time_zone, g.request_id = "Europe/Berlin", "req_7Q2M9K"
    if request.args.get("frame") == "staff":
        g.true_user = Thing(staff_admin=True)


def _context() -> dict[str, Any]:
    partner = Thing(name="Northwind Managed IT", slug="northwind")
    person = Thing(name="Dana Whitfield", email="dana@northwind.example", label="Dana Whitfield")
    visit = Thing(
        staff_name="Sam Okafor", user_name="Dana Whitfield",
        reason="Ticket 4711: payment shows as unpaid",
        expires_at=datetime.now(UTC) + timedelta(minutes=42), mode="view", stop_url=None,
    )  # fmt: skip
    notice = Thing(
        text="Autotask needs reconnecting since 18 Nov.",
        url="#",
        at=datetime(2026, 11, 18, 9, 30, tzinfo=UTC),
    )
    staff = request.args.get("frame") == "staff"
    return {
        "current_partner": None if staff else partner,
        "current_user": person,
        "current_actor": Thing(user=person, true_user=person, support_visit=None),
        "support_visit": visit if "visit" in request.args else None,
        "my_partners": [partner, Thing(name="Harbour Tech", slug="harbour")],
        "nav_counts": {"exceptions": 2},
        "notices": [notice],
        "notices_new": 1,
        "layout": "layouts/staff.html" if staff else "layouts/partner.html",
    }


def _invoice(i: int, day: date, customer: str, state: str, agreement: str) -> Thing:
    return Thing(
        number=f"INV-{1040 + i}",
        customer=customer,
        due_on=day + timedelta(days=10 - 9 * i),
        amount=Decimal("1204.5") * (i + 1) * (-1 if state == "credit" else 1),
        outstanding=Decimal("804.5") * (i + 1) * (state in ("open", "overdue", "part_paid")),
        state=state,
        agreement=agreement,
    )


def example() -> dict[str, Any]:
    """Rows as a page would pass them."""
    read = datetime(2026, 11, 19, 9, 42, 7, tzinfo=UTC)
    day = read.date()
    names = (
        "Adatum Dental Group",
        "Contoso Logistics and Warehousing",
        "Fabrikam Legal",
        "Lakeside Clinics",
        "Tailspin Toys",
    )
    states = (
        ("open", "waiting"),
        ("overdue", "differs"),
        ("part_paid", "agrees"),
        ("paid", "agrees"),
        ("credit", "missing"),
    )
    rows = enumerate(zip(names, states, strict=True))
    invoices = [_invoice(i, day, name, *state) for i, (name, state) in rows]
    return {
        "read": read,
        "day": day,
        "invoices": invoices,
        "outstanding": sum(i.outstanding for i in invoices),
        "D": Decimal,
    }


if __name__ == "__main__":
    create_styleguide().run(port=8199)
