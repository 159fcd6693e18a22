"""Money is Decimal; this is the only place that rounds and the only one that reads typed amounts."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache

from babel.core import get_global
from babel.numbers import get_currency_precision, get_territory_currencies

# The bound of every money column.
LARGEST = Decimal(99_999_999_999)
ZERO = Decimal(0)

_STORED_STEP = Decimal("0.000001")
_AUTOTASK_STEP = Decimal("0.0001")
# A double carries 15 to 17 digits: what differs less than this from four decimals is its noise, not money.
_NOISE = Decimal("1e-15")
_NOISY_DIGITS = 20
_WIDE = Context(prec=60, rounding=ROUND_HALF_UP, traps=[InvalidOperation])
_STORABLE = Context(prec=17, rounding=ROUND_HALF_UP, traps=[InvalidOperation, Inexact])

_NOT_STORABLE = f"is not an amount up to {LARGEST} with at most six decimals"
_LONGEST = 40
_BLANKS = str.maketrans(dict.fromkeys(" \N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"))


@dataclass(frozen=True)
class NumberFormat:
    """What stands between thousands, and before the decimals."""

    group: str
    point: str
    named: str

    @property
    def pattern(self) -> str:
        group, point = re.escape(self.group), re.escape(self.point)
        return rf"-?(?:[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]+)(?:{point}[0-9]+)?"

    def typed(self, digits: str) -> str:
        """Digits such as "1234.50" as a person types them."""
        return digits.replace(".", self.point)

    def grouped(self, digits: str) -> str:
        """Digits such as "1234.50" with their thousands apart."""
        whole, point, decimals = digits.lstrip("-").partition(".")
        sign, parted = "-" if digits.startswith("-") else "", f"{int(whole):,}".replace(",", self.group)
        return f"{sign}{parted}{self.point if point else ''}{decimals}"


COMMA_POINT = NumberFormat(",", ".", "comma")
# No text means two different amounts in two of these: what only another one would read is refused.
NUMBER_FORMATS = {
    "comma_point": COMMA_POINT,
    "point_comma": NumberFormat(".", ",", "point"),
    "space_comma": NumberFormat("\N{NO-BREAK SPACE}", ",", "space"),
}


class AmountError(ValueError):
    """An amount that cannot be taken; str() is a sentence for the person who typed it."""


@lru_cache(maxsize=512)
def minor_units(currency: str) -> int:
    """How many decimals a currency has: 2 for USD, 0 for JPY, 3 for KWD (CLDR); 2 for an unknown code."""
    return get_currency_precision(currency)


@lru_cache(maxsize=512)
def _step(currency: str) -> Decimal:
    return Decimal(1).scaleb(-minor_units(currency))


@lru_cache(maxsize=512)
def is_currency(code: str) -> bool:
    """True for the ISO 4217 code of a currency that is legal tender somewhere today (CLDR)."""
    return code in _in_use()


@lru_cache(maxsize=1)
def _in_use() -> frozenset[str]:
    territories = get_global("territory_currencies")
    return frozenset(code for name in territories for code in get_territory_currencies(name))


def rounded(amount: Decimal, currency: str) -> Decimal:
    """`amount` half up to the currency's minor unit, never minus zero."""
    result = amount.quantize(_step(currency), context=_WIDE)
    return result if result else abs(result)


def plain(amount: Decimal, currency: str) -> str:
    """`amount` as digits with exactly the currency's decimals and no grouping, like "1234.50"."""
    return format(rounded(amount, currency), "f")


def storable(amount: Decimal) -> Decimal:
    """`amount` as it is, when a numeric(20,6) column up to LARGEST holds it exactly; else AmountError."""
    try:
        step = amount.quantize(_STORED_STEP, None, _STORABLE)
    except (InvalidOperation, Inexact):
        raise AmountError(_NOT_STORABLE) from None
    if step != step:
        raise AmountError("is not a number")
    if abs(step) > LARGEST:
        raise AmountError(_NOT_STORABLE)
    return amount if step else ZERO


def without_noise(amount: Decimal) -> Decimal | None:
    """The four decimals that a double like 1234.5600000000001 was meant to carry, or None."""
    if not amount.is_finite() or abs(amount) > LARGEST or len(amount.as_tuple().digits) > _NOISY_DIGITS:
        return None
    meant = amount.quantize(_AUTOTASK_STEP, context=_WIDE)
    return meant if meant and abs(meant - amount) <= abs(amount) * _NOISE else None


def shortened(amount: Decimal) -> Decimal | None:
    """`amount` half up to the six decimals that are stored, or None if it is above LARGEST."""
    if not amount.is_finite() or abs(amount) > LARGEST:
        return None
    return amount.quantize(_STORED_STEP, context=_WIDE)


def parse_amount(text: str, currency: str, style: NumberFormat = COMMA_POINT) -> Decimal:
    """What a person typed, as an exact Decimal: "1234.50" or "1,234.50", or as `style` has it.

    Zero and negative amounts pass, the form decides about them. Raises AmountError with a plain sentence.
    """
    typed = text.strip() if len(text) <= _LONGEST else ""
    if len(text) > _LONGEST:
        raise AmountError(f"Use at most {_LONGEST} characters for the amount.")
    if not typed:
        raise AmountError("Enter an amount.")
    if style.group.isspace():
        typed = typed.translate(_BLANKS)
    if not re.fullmatch(style.pattern, typed):
        raise AmountError(f"Write the amount in digits, like {_example(currency, style)}.")
    _refuse_ambiguous(typed, currency, style)
    amount = Decimal(typed.replace(style.group, "").replace(style.point, "."))
    if abs(amount) > LARGEST:
        raise AmountError(f"The amount must be at most {style.grouped(str(LARGEST))}.")
    return rounded(amount, currency)


def _refuse_ambiguous(typed: str, currency: str, style: NumberFormat) -> None:
    decimals, example = minor_units(currency), _example(currency, style)
    whole, _, fraction = typed.partition(style.point)
    if len(fraction) > decimals:
        most = f"at most {decimals} decimals" if decimals else "no decimals"
        raise AmountError(f"{currency} amounts have {most}. Write the amount like {example}.")
    if decimals >= 3 and whole.count(style.group) == 1 and not fraction:
        # In a currency with three decimals "1,234" is read as 1.234 by half of the world.
        raise AmountError(f"Write the amount without the {style.named}, like {example}.")


def _example(currency: str, style: NumberFormat) -> str:
    return style.typed(plain(Decimal("1234.5"), currency)) if minor_units(currency) else "1234"
