"""A table whose figures are one number per seed, as Markdown, CSV and JSON."""

import csv
import dataclasses
import io
import statistics


@dataclasses.dataclass(frozen=True)
class Column:
    """key: in CSV and JSON. heading: in Markdown. digits: behind the point."""

    key: str
    heading: str
    digits: int = 4


@dataclasses.dataclass(frozen=True)
class Table:
    """rows: the row's name, and column key -> one figure per seed (an empty list: not measured). notes: below the table."""

    name: str
    title: str
    first: str
    columns: tuple[Column, ...]
    rows: list[tuple[str, dict[str, list[float]]]]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """Mean and standard deviation over the seeds."""
        lines = [f"## {self.title}", ""]
        lines += [_line([self.first, *(column.heading for column in self.columns)]), "|---" * (len(self.columns) + 1) + "|"]
        for name, figures in self.rows:
            lines.append(_line([name, *(_shown(figures.get(column.key, []), column.digits) for column in self.columns)]))
        return "\n".join([*lines, "", *(f"{note}\n" for note in self.notes)])

    def csv(self) -> str:
        """Per figure its mean, its standard deviation (empty for a single seed) and the number of seeds."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([self.first, *(f"{c.key}{end}" for c in self.columns for end in ("", "_sd", "_seeds"))])
        for name, figures in self.rows:
            cells = []
            for column in self.columns:
                values = figures.get(column.key, [])
                mean, sd = summary(values) if values else ("", "")
                cells += [mean, "" if sd is None else sd, len(values)]
            writer.writerow([name, *cells])
        return text.getvalue()

    def json(self) -> dict:
        """All figures, one per seed."""
        rows = [{"name": name, **{key: values for key, values in figures.items()}} for name, figures in self.rows]
        return {"title": self.title, "rows": rows, "notes": list(self.notes)}


def summary(values: list[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation; None in its place for a single value."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def _shown(values: list[float], digits: int) -> str:
    if not values:
        return "-"
    mean, sd = summary(values)
    return f"{mean:.{digits}f}" if sd is None else f"{mean:.{digits}f} ± {sd:.{digits}f}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
