"""Not a cent is lost: sums of random operations are compared with an exact calculation (rule 4.1).

OPERATIONS=1000000 bin/test tests/ledger/test_exactness.py plays a million.
"""

from decimal import Decimal
from fractions import Fraction
from random import Random

from portal import ledger
from portal.access.tenancy import tenant_scope
from portal.ledger import kept_sums
from portal.money import rounded
from tests import factories
from tests.how_many import how_many
from tests.ledger.exact import DIGITS, half_up
from tests.ledger.operations import Books

OPERATIONS = how_many("OPERATIONS")
A_ROUND = max(500, OPERATIONS // 100)


def test_the_drift_over_many_operations_is_nothing(app):
    """Payments over several invoices, deletions, credits, other totals, marks of Autotask, in three currencies."""
    with app.app_context(), tenant_scope(factories.tenant().id):
        integration = factories.integration(app)
        synced = {"USD": integration, "JPY": None, "KWD": integration}
        customers = [factories.customer(of, currency=currency) for currency, of in synced.items()]
        books = Books(customers, Random(OPERATIONS), max(100, OPERATIONS // 100))
        for _ in range(max(OPERATIONS // A_ROUND, 1)):
            books.play(A_ROUND)
            assert books.drift(books.now.touched) == 0
            assert kept_sums.differences() == []
        assert books.drift(books.invoices) == 0


def test_what_is_due_is_the_exact_sum_rounded_half_up_once():
    """Beside whole fractions, over random values of up to six decimals (rules 1.6 and 4.1)."""
    random = Random(1)
    for _ in range(20_000):
        currency, digits = random.choice(list(DIGITS.items()))
        total, tax = (_raw(random) for _ in range(2))
        due = half_up(Fraction(total) + Fraction(tax), digits)
        assert Fraction(ledger.amount_due(total, tax, "without_tax", currency)) * 10**digits == due
        assert Fraction(rounded(total, currency)) * 10**digits == half_up(Fraction(total), digits)


def _raw(random: Random) -> Decimal:
    return Decimal(random.randint(-(10**17), 10**17) // 10 ** random.randint(0, 16)).scaleb(-6)
