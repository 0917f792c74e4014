"""Drawings as SVG path data, computed here: the pages allow no script or style of their own."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT = 144.0, 28.0  # of a sparkline's view box
_EDGE = 3.0  # kept free for the line's own width and its last dot


def ceiling(*series: Sequence[float | None]) -> float:
    """What the top edge of a drawing of these series stands for."""
    return max((value for one in series for value in one if value is not None), default=0.0) or 1.0


def sparkline(values: Sequence[float | None], top: float) -> str:
    """A line through the values, from 0 at the bottom to `top`; it breaks where there is none."""
    parts, drawing = [], False
    for index, value in enumerate(values):
        if value is None:
            drawing = False
            continue
        x, y = _at(index, value, len(values), top)
        parts.append(f"{'L' if drawing else 'M'}{x:.1f} {y:.1f}")
        lonely = not drawing and (index + 1 == len(values) or values[index + 1] is None)
        if lonely:
            parts.append("h0")  # a dot, by the line's round ends
        drawing = True
    return "".join(parts)


def last_point(values: Sequence[float | None], top: float) -> tuple[str, str] | None:
    """Where the line ends, as the attributes of a circle."""
    for index in range(len(values) - 1, -1, -1):
        value = values[index]
        if value is not None:
            x, y = _at(index, value, len(values), top)
            return f"{x:.1f}", f"{y:.1f}"
    return None


def share(part: float, whole: float) -> str:
    """The width of a bar, in percent of the widest; one that stands for something can always be seen."""
    if not part or not whole:
        return "0"
    return f"{min(100.0, max(1.0, 100 * part / whole)):.1f}"


def _at(index: int, value: float, count: int, top: float) -> tuple[float, float]:
    x = _EDGE + (WIDTH - 2 * _EDGE) * index / max(1, count - 1)
    y = HEIGHT - _EDGE - (HEIGHT - 2 * _EDGE) * min(value / top, 1.0)
    return x, y
