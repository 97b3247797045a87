"""Numbers and instants as people read them. A lift is a fraction everywhere else and a percentage only here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from experiments.domain.wording import MINUS, decimals_of, plural

Words = Callable[[float], str]

NO_BREAK = "\N{NO-BREAK SPACE}"
_POINTS = f"{NO_BREAK}points"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def count(value: int) -> str:
    """64000 -> 64,000."""
    return f"{value:,}"


def plain_number(value: float) -> str:
    """Four significant digits, thousands separated, whole numbers whole: 1.423, 12,345, 0.0123."""
    if value == 0:
        return "0"
    size = abs(value)
    decimals = 0 if size >= 1_000 or value == int(value) else _decimals(size, significant=4)
    text = f"{size:,.{decimals}f}"
    return _signed(value, text, plus=False)


def money(value: float) -> str:
    """A sum of money without its currency, which nobody told us: 3.94, 612.50, 12,345."""
    size = abs(value)
    return _signed(value, f"{size:,.{0 if size >= 1_000 else 2}f}", plus=False)


def part(value: float) -> str:
    """A share of people: 0%, under 0.1%, 0.56%, 12.3%, 100%. Only nobody is 0, and only all are 100."""
    if value <= 0:
        return "0%"
    if value >= 1:
        return "100%"
    if value < 0.001:
        return "under 0.1%"
    return f"{100 * value:.{2 if value < 0.01 else 1}f}%" if value < 0.999 else "over 99.9%"


def times(value: float) -> str:
    """How many times as much: 1.3 times, 0.45 times."""
    return f"{value:.{2 if value < 1 else 1 if value < 100 else 0}f} times"


def share(value: float) -> str:
    """A conversion rate in per cent, three significant digits: 0.168968 -> 16.9%, 0.00573 -> 0.573%."""
    percent = abs(100 * value)
    decimals = 1 if percent >= 10 or percent == 0 else _decimals(percent, significant=3)
    return _signed(value, f"{percent:.{decimals_of(percent, min(decimals, 4))}f}%", plus=False)


def lift(value: float) -> str:
    """A relative change, always with its sign: 0.693 -> +69.3%, -0.0042 -> −0.42%."""
    percent = abs(100 * value)
    decimals = 0 if percent >= 1_000 else 1 if percent >= 1 or percent == 0 else 2
    return _signed(value, f"{percent:,.{decimals_of(percent, decimals)}f}%", plus=True)


def difference(value: float, kind: str) -> str:
    """A difference in the metric's own unit, with its sign: rates in percentage points, the rest as numbers."""
    if kind != "conversion":
        return f"+{plain_number(value)}" if value > 0 else plain_number(value)
    points = abs(100 * value)
    decimals = 1 if points >= 10 or points == 0 else 2 if points >= 0.1 else min(_decimals(points, significant=2), 4)
    return f"{_signed(value, f'{points:.{decimals}f}', plus=True)}{_POINTS}"


def difference_range(low: float, high: float, kind: str) -> str:
    """Both ends of an interval of a difference; the unit is said once."""
    return f"{difference_bare(low, kind)} to {difference(high, kind)}"


def difference_bare(value: float, kind: str) -> str:
    """A difference beside others of its kind, whose unit is said elsewhere."""
    return difference(value, kind).removesuffix(_POINTS)


def tick(value: float, kind: str) -> str:
    """A round difference on an axis: +8, 0, −0.5."""
    scaled = round(abs(100 * value if kind == "conversion" else value), 9)
    return _signed(value, f"{scaled:,g}", plus=True)


def cost(value: float, kind: str) -> str:
    """A loss in the metric's own unit, to two digits: 0.46 points, under 0.01 points, 0.0018, under 0.0001."""
    if kind == "conversion":
        return f"under 0.01{_POINTS}" if value < 0.0001 else f"{100 * value:.{2 if value < 0.1 else 1}f}{_POINTS}"
    if 0 < value < 0.0001:
        return "under 0.0001"
    decimals = 0 if value >= 10 or value == 0 else _decimals(value, significant=2)
    return f"{float(f'{value:.2g}'):,.{decimals}f}"


def chance(value: float) -> str:
    """A probability that is never said to be certain: 93%, over 99.9%, under 0.1%."""
    if value > 0.999:
        return "over 99.9%"
    if value < 0.001:
        return "under 0.1%"
    return f"{100 * value:.{1 if value < 0.1 or value > 0.9 else 0}f}%"


def rounded_up(value: float) -> str:
    """A number of things still to come, to two digits: more would be a promise."""
    step = 10 ** max(0, len(str(int(value))) - 2)
    return count(-int(-value // step) * step)


def days(value: float) -> str:
    """How long something still takes, in words."""
    if value < 1:
        return "less than a day"
    if value > 365:
        return "more than a year"
    return "about a day" if value < 1.5 else f"about {rounded_up(value)} days"


def between(low: float, high: float) -> str:
    """Both ends of an interval of a lift, in words."""
    return f"between {lift(low)} and {lift(high)}"


def p_value(value: float) -> str:
    """p = 0.0123, or p < 0.0001 where more digits would say nothing."""
    if value < 0.0001:
        return f"p{NO_BREAK}<{NO_BREAK}0.0001"
    return f"p{NO_BREAK}={NO_BREAK}{value:.{4 if value < 0.01 else 3 if value < 0.1 else 2}f}"


def basis_points(value: float) -> str:
    """9500 -> 95%, 3334 -> 33.3%; a share below one per cent in full: 5 -> 0.05%."""
    share = value / 100
    return f"{round(share, decimals_of(share, 1 if value >= 100 else 2)):g}%"


def day(value: datetime) -> str:
    """21 Nov 2026, in UTC."""
    at = value.astimezone(UTC)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def instant(value: datetime) -> str:
    """21 Nov 2026, 14:05 UTC."""
    return f"{day(value)}, {value.astimezone(UTC):%H:%M} UTC"


def ago(age: timedelta) -> str:
    """How long ago, in the largest unit that fits."""
    seconds = age.total_seconds()
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{amount(int(seconds // size), unit)} ago"
    return "just now"


def duration(seconds: int) -> str:
    """A length of time in the largest unit that leaves no rest: 4 weeks, 36 hours, 1 day."""
    for size, unit in ((604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds and seconds % size == 0:
            return amount(seconds // size, unit)
    return amount(seconds, "second")


def amount(number: int, noun: str) -> str:
    """1 customer, 64,000 customers."""
    return f"{count(number)} {noun if number == 1 else plural(noun)}"


def sentence(text: str) -> str:
    """A clause with a capital in front and a full stop behind."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def _decimals(size: float, *, significant: int) -> int:
    decimals = significant - 1
    while size < 1 and decimals < 12:
        size *= 10
        decimals += 1
    while size >= 10 and decimals > 0:
        size /= 10
        decimals -= 1
    return decimals


def _signed(value: float, digits: str, *, plus: bool) -> str:
    if not any(character in "123456789" for character in digits):
        return digits
    return f"{MINUS if value < 0 else '+' if plus else ''}{digits}"
