"""Numbers as people read them; an en dash where there is none."""

from __future__ import annotations

from segexport.report.page.lenient import number

NONE = "–"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def fixed(value: object, places: int, unit: str = "") -> str:
    found = number(value)
    return NONE if found is None else f"{found:,.{places}f}{unit}" if abs(found) < 1e15 else f"{found:.3g}{unit}"


def whole(value: object) -> str:
    return fixed(value, 0)


def megabytes(size_bytes: object) -> str:
    found = number(size_bytes)
    return NONE if found is None else fixed(found / 1e6, 2)


def percent(share: object, places: int) -> str:
    found = number(share)
    return NONE if found is None else fixed(100 * found, places, " %")


def difference(value: object) -> str:
    """0.28, 0.0065, 4.4×10⁻⁶: three digits, or two and a power of ten below a thousandth."""
    found = number(value)
    if found is None:
        return NONE
    if found == 0 or 1e-3 <= abs(found) < 1e6:
        return f"{found:.3g}"
    digits, exponent = f"{found:.1e}".split("e")
    return f"{digits}×{power_of_ten(int(exponent))}"


def power_of_ten(exponent: int) -> str:
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def counted(count: int, what: str, several: str | None = None) -> str:
    """1 file, 2 files."""
    return f"{count:,} {what if count == 1 else several or what + 's'}"


def size_in_words(size: object) -> str:
    """`[height, width]` as people say it: width × height."""
    if not isinstance(size, (list, tuple)) or len(size) != 2 or any(number(side) is None for side in size):
        return ""
    height, width = (fixed(side, 0).replace(",", "") for side in size)
    return f"{width} × {height}"
