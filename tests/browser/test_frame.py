"""The frame and every component in a real browser: both schemes, both widths, with and without script."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import wear

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]
PAGES = {
    "components": ("/p/northwind/invoices", 200),
    "support visit": ("/empty?visit=1", 200),
    "staff": ("/staff/staff_partners?frame=staff", 200),
    "log in": ("/login", 200),
    "not found": ("/error/404", 404),
    "fault": ("/error/500", 500),
}
LOOKS = [(1280, "light"), (390, "dark")]
EVERY_LOOK = [*LOOKS, (1280, "dark"), (390, "light")]


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_and_nothing_sticks_out(
    open_page: OpenPage,
    styleguide: str,
    accessibility_faults: Callable[[Page], list[str]],
    name: str,
) -> None:
    page = open_page()
    path, status = PAGES[name]
    answer = page.goto(styleguide + path)
    assert answer is not None
    assert answer.status == status
    for width, scheme in EVERY_LOOK if name == "components" else LOOKS:
        wear(page, width, scheme)
        assert accessibility_faults(page) == [], (width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.in_turn(2)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_open_menus_drawer_and_dialog(
    open_page: OpenPage, styleguide: str, accessibility_faults: Callable[[Page], list[str]], scheme: str
) -> None:
    page = open_page(390, scheme)
    page.goto(styleguide + "/p/northwind/invoices")
    page.get_by_text("More actions").locator("..").click()
    assert accessibility_faults(page) == []
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert accessibility_faults(page) == []
    page.get_by_role("link", name="Keep it").click()
    page.get_by_role("button", name="Menu").click()
    expect(page.get_by_role("link", name="Reconciliation")).to_be_visible()
    assert accessibility_faults(page) == []


def test_the_drawer_and_menus_open_without_script(open_page: OpenPage, styleguide: str) -> None:
    page = open_page(390, script=False)
    page.goto(styleguide + "/empty")
    expect(page.get_by_role("link", name="Home")).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(page.get_by_role("link", name="Home")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_text("Dana Whitfield").locator("..").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def test_slash_puts_the_cursor_into_the_search_but_not_while_typing(
    open_page: OpenPage, styleguide: str
) -> None:
    page = open_page()
    page.goto(styleguide + "/empty")
    page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Search numbers, names, amounts")
    expect(search).to_be_focused()
    page.keyboard.type("a/b")
    expect(search).to_have_value("a/b")


def test_the_chosen_colours_are_kept_by_the_server(open_page: OpenPage, styleguide: str) -> None:
    page = open_page()
    page.goto(styleguide + "/empty")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Switch between light and dark").click()
    page.goto(styleguide + "/login")
    assert page.locator("html").get_attribute("data-scheme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


@pytest.mark.parametrize(
    ("button", "words"),
    [("Ask for what is gone", "There is no such page"), ("Ask for a fault", "This page failed")],
)
def test_a_failed_part_of_a_page_is_told_in_words_with_its_reference(
    open_page: OpenPage, styleguide: str, button: str, words: str
) -> None:
    page = open_page()
    page.goto(styleguide + "/empty")
    page.get_by_role("button", name=button).click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(words)
    expect(alert).to_contain_text("req_7Q2M9K")
    expect(page.get_by_role("heading", name="Payments")).to_be_visible()


def test_no_answer_at_all_is_told_too(open_page: OpenPage, styleguide: str) -> None:
    page = open_page()
    page.goto(styleguide + "/empty")
    page.context.route("**/error/**", lambda route: route.abort())
    page.get_by_role("button", name="Ask for a fault").click()
    expect(page.get_by_role("alert")).to_contain_text("could not be reached")


def test_a_refused_form_keeps_what_was_typed_and_moves_to_the_errors(
    open_page: OpenPage, styleguide: str
) -> None:
    page = open_page()
    page.goto(styleguide + "/form")
    page.get_by_label("Reference").fill("cheque 12")
    page.get_by_role("button", name="Record payment").click()
    expect(page.locator(".error-summary")).to_be_focused()
    expect(page.get_by_label("Reference")).to_have_value("cheque 12")
    amount = page.get_by_role("textbox", name="Amount")
    expect(amount).to_have_accessible_description("Enter an amount, such as 250.00.")
    expect(page.get_by_role("button", name="Record payment")).to_be_enabled()


def test_pressing_twice_sends_once_and_the_button_says_what_happens(
    open_page: OpenPage, styleguide: str
) -> None:
    page = open_page()
    page.goto(styleguide + "/form")
    sent: list[str] = []
    held = []

    def hold(route: object) -> None:
        sent.append("form")
        held.append(route)

    page.route("**/form", hold)
    button = page.get_by_role("button", name="Record payment")
    with page.expect_request("**/form"):
        button.evaluate("button => { button.click(); button.click(); button.form.requestSubmit(); }")
    expect(page.get_by_role("button", name="Recording…")).to_be_disabled()
    assert sent == ["form"]
    for route in held:
        route.continue_()  # type: ignore[attr-defined]
    expect(page.get_by_role("button", name="Record payment")).to_be_enabled()


def test_a_confirmation_opens_over_the_page_and_escape_closes_it(
    open_page: OpenPage, styleguide: str
) -> None:
    page = open_page()
    page.goto(styleguide + "/empty")
    page.get_by_role("link", name="Delete payment").click()
    dialog = page.get_by_role("dialog", name="Delete the payment of 250.00 USD?")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert page.url.endswith("/empty")


def test_the_header_of_a_long_table_stays_in_sight(open_page: OpenPage, styleguide: str) -> None:
    page = open_page(height=500)
    page.goto(styleguide + "/p/northwind/invoices?visit=1")
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.evaluate("scrollTo(0, document.querySelector('.rows tbody tr:last-child').offsetTop + 330)")
    top = page.locator(".rows thead th").first.bounding_box()
    bar = page.locator(".support-bar").bounding_box()
    assert top is not None
    assert bar is not None
    assert bar["y"] == 0
    assert abs(top["y"] - bar["height"]) < 6


def test_rows_are_forty_pixels_high(open_page: OpenPage, styleguide: str) -> None:
    page = open_page()
    page.goto(styleguide + "/p/northwind/invoices")
    heights = page.evaluate("[...document.querySelectorAll('.rows tbody tr')].map(row => row.offsetHeight)")
    assert min(heights) == 40
