"""Numbers in sentences for people: what is written is never 0%, 100% or the other side of 0 where the number is not."""

from __future__ import annotations

from math import floor, log10

# Of percentages: what is nearer to 0 or 100, and what is larger, is said in words.
_SMALLEST, _LARGEST = 1e-4, 1e6
# What floats lose: 1.0000000000000002 is 100%.
_SAME = 1e-10
_TINY, _HUGE = 1e-9, 1e15


def percentage(fraction: float) -> str:
    """A fraction in per cent, two digits or so: 0.693 -> 69%, 0.0412 -> 4.1%, 0.0006 -> 0.06%, 0.9955 -> 99.6%.

    Near 0 and near 100% as many decimals as the distance needs; never an exponent.
    """
    size, minus = abs(100 * fraction), "-" if fraction < 0 else ""
    gap = abs(100 - size)
    if size == 0:
        return "0%"
    if size < _SMALLEST:
        return f"just {'under' if minus else 'over'} 0%"
    if _SAME < gap < _SMALLEST:
        return f"{minus}just {'under' if size < 100 else 'over'} 100%"
    if not size <= _LARGEST:
        return f"{minus}more than {_LARGEST:,.0f}%"
    decimals = 0 if size >= 10 else 1 if size >= 1 else max(2, -floor(log10(size)))
    if _SAME < gap < 1:
        decimals = -floor(log10(gap))
    return f"{minus}{size:,.{decimals}f}%"


def number(value: float, digits: int = 3) -> str:
    """So many significant digits and no zeros behind, never an exponent: 0.839, 2, 1,235, 0.0000123."""
    size, minus = abs(value), "-" if value < 0 else ""
    if size == 0:
        return "0"
    if size < _TINY:
        return f"just {'under' if minus else 'over'} 0"
    if not size <= _HUGE:
        return f"{minus}more than {_HUGE:,.0f}"
    text = f"{size:,.{max(0, digits - 1 - floor(log10(size)))}f}"
    return minus + (text.rstrip("0").rstrip(".") if "." in text else text)


def are(count: int, units: str, one: str = "is", many: str = "are") -> str:
    """How many of the units, and a verb: '12,000 customers are', '1 of the customers is'. Only the plural is known."""
    return f"1 of the {units} {one}" if count == 1 else f"{count:,} {units} {many}"
