"""Pictures of the figures, each for GitHub's light theme and for its dark theme.

The same figures make the same files, byte for byte. The pictures have the width of a README.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from bench.figures import Figures
from bench.peers import PEERS

__all__ = ["draw"]

ROOMS = (1, 10, 100)
"""Numbers of members in the picture of the fan-out."""
FAN_OUT_TITLE = "100-byte messages; chatd signed and encrypted, the others in the clear"
GROWTH_TITLE = "What a delivery costs chatd, by rooms and members"
SCALE_TITLE = "What a message costs on several daemons with one Redis"
SCALE = {
    "messages/s": ("thousand messages/s", 1e-3),
    "daemon CPU": ("daemon CPU, µs", 1.0),
    "Redis CPU": ("Redis CPU, µs", 1.0),
    "p50": ("sent to heard, µs", 1.0),
}
"""The quantities in the picture of several daemons: the titles of their panels, and factors."""
_LINES = "lines from the lowest to the highest"
_SPREAD = f"median of all rounds; {_LINES}"
_WHOLE = 20  # figures of a panel that reaches so far have no decimals
_TIMES = " × "
_WIDTH_IN = 8.8  # 845 pixels: the width of a README on GitHub
_FONT_PT = 9


@dataclass(frozen=True)
class Theme:
    """The colours of a picture; its background is the page's.

    Attributes:
        name: The theme's name in file names.
        text: Text, and the spread of figures.
        faint: The axes.
        chatd: The bars of chatd.
        variant: The bars of chatd in another setting.
        others: The bars of the peers.
    """

    name: str
    text: str
    faint: str
    chatd: str
    variant: str
    others: str

    def bar(self, peer: str) -> str:
        """Return the colour of a peer's bar."""
        if peer == "chatd":
            return self.chatd
        return self.variant if peer.startswith("chatd") else self.others


THEMES = (
    Theme("light", "#1f2328", "#d1d9e0", "#0969da", "#80b8f0", "#afb8c1"),
    Theme("dark", "#f0f6fc", "#3d444d", "#4493f8", "#2b5a94", "#656c76"),
)


def draw(results: Mapping[str, Figures], directory: Path) -> None:
    """Draw the pictures for which there are figures.

    Args:
        results: The figures of each measure.
        directory: The directory for the pictures `fan-out-light.svg`, `growth-light.svg` and
            `scale-light.svg`, and the same for the dark theme. It is created if it is missing.
    """
    directory.mkdir(parents=True, exist_ok=True)
    rooms = {
        members: by_peer
        for members in ROOMS
        if (by_peer := results.get(f"fan-out-{members}", {}).get(f"fan-out-{members}"))
    }
    shapes = {
        shape: values
        for shape, by_peer in results.get("growth", {}).items()
        if _TIMES in shape and (values := by_peer.get("chatd"))
    }
    scale = {
        title: {peer: [factor * each for each in values] for peer, values in by_peer.items()}
        for quantity, (title, factor) in SCALE.items()
        if (by_peer := results.get("scale", {}).get(quantity))
    }
    for theme in THEMES:
        style: Any = {
            "font.size": _FONT_PT,
            "svg.fonttype": "none",  # text stays text, which is small and searchable
            "svg.hashsalt": "chatd",
            "text.color": theme.text,
            "xtick.color": theme.text,
            "ytick.color": theme.text,
        }
        with mpl.rc_context(style):
            if rooms:
                _save(_fan_out(rooms, theme), directory / f"fan-out-{theme.name}.svg")
            if shapes:
                _save(_growth(shapes, theme), directory / f"growth-{theme.name}.svg")
            if scale:
                label = f"median of all rounds, each panel on its own scale ({_LINES})"
                figure = _bars(SCALE_TITLE, scale, list(scale["thousand messages/s"]), label, theme)
                _save(figure, directory / f"scale-{theme.name}.svg")


def _save(figure: Figure, path: Path) -> None:
    # The date and the version of matplotlib would make each file different.
    figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})


def _fan_out(rooms: Mapping[int, Mapping[str, Sequence[float]]], theme: Theme) -> Figure:
    """Return bars for each peer in each room; the fastest peer in the largest room is on top."""
    largest = rooms[max(rooms)]
    measured = dict.fromkeys(peer for by_peer in rooms.values() for peer in by_peer)
    peers = sorted(measured, key=lambda peer: -median(largest.get(peer, [0.0])))
    millions = {
        f"room of {members}": {
            peer: [figure / 1e6 for figure in values] for peer, values in by_peer.items()
        }
        for members, by_peer in rooms.items()
    }
    label = f"deliveries per second in millions, each room on its own scale ({_SPREAD})"
    return _bars(FAN_OUT_TITLE, millions, peers, label, theme)


def _bars(
    title: str,
    by_panel: Mapping[str, Mapping[str, Sequence[float]]],
    peers: Sequence[str],
    label: str,
    theme: Theme,
) -> Figure:
    """Return a panel for each title, with a bar for each peer."""
    figure = Figure(figsize=(_WIDTH_IN, 1.35 + 0.27 * len(peers)), layout="constrained")
    figure.suptitle(title, fontsize=_FONT_PT + 2, fontweight="bold")
    panels = figure.subplots(1, len(by_panel), sharey=True, squeeze=False)[0]
    for panel, (name, by_peer) in zip(panels, by_panel.items(), strict=True):
        highest = max(max(values) for values in by_peer.values())
        for row, peer in enumerate(peers):
            values = by_peer.get(peer)
            if values is None:
                _write(panel, (0.0, row), "not measured")
                continue
            panel.barh(row, median(values), height=0.7, color=theme.bar(peer))
            _spread(panel, row, values, theme)
            text = f"{median(values):,.{0 if highest >= _WHOLE else 2}f}"
            _write(panel, (max(values), row), text, is_bold=peer == "chatd")
        panel.set_title(name, fontsize=_FONT_PT)
        panel.set_xlim(0, 1.22 * highest)
        panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        _clear(panel, theme)
    _name_rows(panels[0], [PEERS[peer].label for peer in peers])
    for row_label, peer in zip(panels[0].get_yticklabels(), peers, strict=True):
        row_label.set_fontweight("bold" if peer == "chatd" else "normal")
    figure.supxlabel(label, fontsize=_FONT_PT)
    return figure


def _growth(shapes: Mapping[str, Sequence[float]], theme: Theme) -> Figure:
    """Return a dot for each shape: costs that differ a hundredfold need a log scale."""
    figure = Figure(figsize=(_WIDTH_IN, 1.2 + 0.27 * len(shapes)), layout="constrained")
    figure.suptitle(GROWTH_TITLE, fontsize=_FONT_PT + 2, fontweight="bold")
    panel = figure.subplots()
    panel.set_xscale("log")
    for row, values in enumerate(shapes.values()):
        panel.plot(median(values), row, "o", markersize=8, color=theme.chatd)
        _spread(panel, row, values, theme)
        _write(panel, (max(values), row), f"{median(values):,.0f}")
    panel.set_xlim(
        0.7 * min(min(values) for values in shapes.values()),
        1.5 * max(max(values) for values in shapes.values()),
    )
    panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    _clear(panel, theme)
    _name_rows(panel, [_in_words(shape) for shape in shapes])
    label = f"nanoseconds of the server's CPU per delivery, on a log scale ({_SPREAD})"
    figure.supxlabel(label, fontsize=_FONT_PT)
    return figure


def _spread(panel: Axes, row: int, values: Sequence[float], theme: Theme) -> None:
    """Draw the spread of the rounds."""
    panel.plot([min(values), max(values)], [row, row], color=theme.text, linewidth=1)


def _write(panel: Axes, place: tuple[float, float], text: str, *, is_bold: bool = False) -> None:
    """Write text to the right of a place."""
    panel.annotate(
        text,
        place,
        (8, 0),
        textcoords="offset points",
        verticalalignment="center",
        fontsize=_FONT_PT - 1,
        fontweight="bold" if is_bold else "normal",
    )


def _name_rows(panel: Axes, names: Sequence[str]) -> None:
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.5, -0.5)  # the first name on top


def _clear(panel: Axes, theme: Theme) -> None:
    """Keep two lines of the frame, and no grid: each figure is written beside its mark."""
    panel.spines[["top", "right"]].set_visible(False)
    panel.spines[["left", "bottom"]].set_color(theme.faint)
    panel.tick_params(axis="x", color=theme.faint)
    panel.tick_params(axis="y", length=0)


def _in_words(shape: str) -> str:
    rooms, members = map(int, shape.split(_TIMES))
    return (
        f"{rooms:,} room{'' if rooms == 1 else 's'}{_TIMES}"
        f"{members:,} member{'' if members == 1 else 's'}"
    )
