"""Every page of a partner has a name for those who read what support opened."""

from portal.queries import page_names


def test_every_page_of_a_partner_has_a_name(app):
    rules = [rule for rule in app.url_map.iter_rules() if "partner_slug" in rule.arguments]
    pages = {str(rule.endpoint) for rule in rules if "GET" in (rule.methods or ())}
    assert len(pages) > 40
    assert sorted(pages - set(page_names.NAMES)) == []


def test_a_path_is_called_what_its_page_is_called(app):
    with app.app_context():
        found = [
            page_names.name("GET", path)
            for path in ("/p/x/invoices?show=unpaid", "/p/x/invoices/7", "/p/x/nothing", "/p/x/")
        ]
        assert found == ["Invoices", "An invoice", "A page that is not there", "Home"]
        assert page_names.name("POST", "/p/x/payments") == "A form was sent"
