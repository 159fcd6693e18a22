"""Growth curves as SVG: seconds over the number of invoices, both axes by factors of ten."""

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 320, 56, 120, 24, 40
COLOURS = ("#6c757d", "#206bc4")
Point = tuple[float, float]


def svg(title: str, curves: Mapping[str, Sequence[Point]]) -> str:
    """One line for each name, through its points of (invoices, seconds)."""
    points = [point for curve in curves.values() for point in curve]
    across = _Axis([x for x, _ in points], LEFT, WIDTH - RIGHT)
    up = _Axis([y for _, y in points], HEIGHT - BOTTOM, TOP)
    parts = [f'<text x="{LEFT}" y="16" font-weight="bold">{title}</text>']
    for value in up.marks:
        y = up.at(value)
        parts.append(f'<path d="M{LEFT} {y:.0f}H{WIDTH - RIGHT}" stroke="#dadfe5"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{value:g} s</text>')
    for value in across.marks:
        x = across.at(value)
        parts.append(f'<text x="{x:.0f}" y="{HEIGHT - 18}" text-anchor="middle">{value:,.0f}</text>')
    for colour, (name, curve) in zip(COLOURS, curves.items(), strict=False):
        parts += _line(name, colour, [(across.at(x), up.at(y)) for x, y in sorted(curve)])
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    return "\n".join([f'{head} font-size="12">', ground, *parts, "</svg>", ""])


class _Axis:
    """Powers of ten around the values, from one place to another."""

    def __init__(self, values: Sequence[float], first: float, last: float) -> None:
        self.low, self.high = floor(log10(min(values))), ceil(log10(max(values)))
        self.high = max(self.high, self.low + 1)
        self.first, self.last = first, last
        self.marks = [10.0**power for power in range(self.low, self.high + 1)]

    def at(self, value: float) -> float:
        share = (log10(value) - self.low) / (self.high - self.low)
        return self.first + share * (self.last - self.first)


def _line(name: str, colour: str, points: Sequence[Point]) -> list[str]:
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    x, y = points[-1]
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    label = f'<text x="{x + 8:.0f}" y="{y + 4:.0f}" fill="{colour}">{name}</text>'
    return [f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>', *dots, label]
