"""Flame picture: stacks as an SVG without any script; callers above, what they call below."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape

WIDTH, ROW, TOP = 1600, 17, 64
LEAST = 0.001
"""Share of all below which a frame is left out."""
LETTER = 6.1
"""Width of a letter of the picture's font, at its size."""
COLOURS = {
    "gateway/": "#f2c084",
    "audit/": "#9ec7e8",
    "kernel/": "#a9d8b0",
    "crypto/": "#e7a3a3",
    "identity/": "#d5b8e6",
    "consent/": "#f0e08a",
    "adapters/": "#b7dcd6",
}
OTHERS = "#dddddd"
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" \
font-size="10">
<title>{title}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="10" y="20" font-size="15">{title}</text>
"""
FRAME = """\
<g><title>{name}: {share:.1%}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" \
height="{height}" fill="{colour}" stroke="#ffffff" stroke-width="0.5"/>{text}</g>
"""


@dataclass
class Frame:
    """A function where it was called, and how often it was seen there."""

    count: int = 0
    calls: dict[str, "Frame"] = field(default_factory=dict)

    def depth(self, least: float) -> int:
        """Return how many rows it needs."""
        return 1 + max(
            (one.depth(least) for one in self.calls.values() if one.count >= least), default=0
        )


def drawn(seen: Mapping[tuple[str, ...], int], title: str) -> str:
    """Return the picture of how often each stack was seen."""
    whole = Frame()
    for stack, count in seen.items():
        at = whole
        at.count += count
        for name in stack:
            at = at.calls.setdefault(name, Frame())
            at.count += count
    least = whole.count * LEAST
    height = TOP + (whole.depth(least) - 1) * ROW + 10
    parts = [HEAD.format(width=WIDTH, height=height, title=escape(title)), *_legend()]
    parts += _frames(whole, 10.0, 0, (WIDTH - 20) / whole.count)
    return "".join([*parts, "</svg>\n"])


def _frames(caller: Frame, x: float, row: int, scale: float) -> Iterator[str]:
    whole = (WIDTH - 20) / scale
    for name, frame in sorted(caller.calls.items(), key=lambda one: (-one[1].count, one[0])):
        if frame.count < whole * LEAST:
            continue
        width, y = frame.count * scale, TOP + row * ROW
        yield FRAME.format(
            name=escape(name),
            share=frame.count / whole,
            x=x,
            y=y,
            width=width,
            height=ROW - 1,
            colour=_colour(name),
            text=_text(name, x + 3, y + 11, int((width - 6) / LETTER)),
        )
        yield from _frames(frame, x, row + 1, scale)
        x += width


def _text(name: str, x: float, y: int, letters: int) -> str:
    """Return the name as far as it fits: its file goes first, then its class."""
    function = name.partition(" (")[0]
    for told in (name, function, function.rpartition(".")[2]):
        if len(told) <= letters:
            return f'<text x="{x:.1f}" y="{y}">{escape(told)}</text>'
    return ""


def _colour(name: str) -> str:
    file = name.partition(" (")[2]
    return next((colour for start, colour in COLOURS.items() if file.startswith(start)), OTHERS)


def _legend() -> Iterator[str]:
    x = 10.0
    for name, colour in {**COLOURS, "others": OTHERS}.items():
        yield f'<rect x="{x:.1f}" y="34" width="12" height="12" fill="{colour}"/>'
        yield f'<text x="{x + 16:.1f}" y="44">{name}</text>\n'
        x += 16 + (len(name) + 3) * LETTER
