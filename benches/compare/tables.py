"""What a table of the page is made of, and how it is written in Markdown."""

import statistics
import textwrap
from collections.abc import Callable
from typing import NamedTuple

WIDTH = 110


class Table(NamedTuple):
    title: str
    # What was done, and how; with the command that anybody could type.
    about: str
    # Which of the subject's series it shows.
    series: str
    # Heading to metric.
    columns: dict[str, str]
    against: list["Against"] = []


def values(rounds: list[dict], metric: str) -> list:
    return [figures[metric] for figures in rounds if figures.get(metric) is not None]


def middle(seen: list[float]) -> float:
    """The median; of what was counted it is a count."""
    counted = all(isinstance(value, int) for value in seen)
    return statistics.median_low(seen) if counted else statistics.median(seen)


def median(rounds: list[dict], metric: str) -> float | None:
    seen = values(rounds, metric)
    return middle(seen) if seen else None


def ratio(series: dict[str, list], contender: str, base: str, metric: str) -> float | None:
    """The median over the rounds that both took part in, each round by itself."""
    pairs = zip(series.get(contender, []), series.get(base, []), strict=False)
    ratios = [
        ours[metric] / theirs[metric]
        for ours, theirs in pairs
        if ours.get(metric) is not None and theirs.get(metric)
    ]
    return statistics.median(ratios) if ratios else None


def ratio_of_medians(
    series: dict[str, list], contender: str, base: str, metric: str
) -> float | None:
    """Where there are no rounds: each contender went at its own pace."""
    part, whole = median(series.get(contender, []), metric), median(series.get(base, []), metric)
    return part / whole if part is not None and whole else None


class Against(NamedTuple):
    """A column that says how many times as much a contender has as another."""

    head: str
    metric: str
    base: str
    by: Callable = ratio


def number(value: float | None) -> str:
    """Three digits that mean something."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    decimals = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{decimals}f}"


def spread(rounds: list[dict], metric: str) -> str:
    """The median, and where there were several rounds the least and the most."""
    seen = values(rounds, metric)
    if not seen:
        return "–"
    if any(isinstance(value, str) for value in seen):
        return seen[0]
    if min(seen) == max(seen):
        return number(seen[0])
    return f"{number(middle(seen))} ({number(min(seen))} to {number(max(seen))})"


def write(table: Table, series: dict[str, list]) -> str:
    heads = [*table.columns, *(column.head for column in table.against)]
    lines = [
        f"### {table.title}\n",
        f"{textwrap.fill(table.about, WIDTH)}\n",
        f"| | {' | '.join(heads)} |",
        "|---" * (1 + len(heads)) + "|",
    ]
    for contender, rounds in series.items():
        cells = [spread(rounds, metric) for metric in table.columns.values()]
        for column in table.against:
            found = column.by(series, contender, column.base, column.metric)
            cells.append(number(found) if found is None else f"{number(found)} ×")
        lines.append(f"| {contender} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
