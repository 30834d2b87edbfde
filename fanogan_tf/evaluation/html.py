"""Numbers and tables as a report's page has them."""

from html import escape


def number(value: float | None, digits: int = 3) -> str:
    """A figure with a fixed number of digits."""
    return "n/a" if value is None else f"{value:.{digits}f}"


def score(value: float | None) -> str:
    """A score, whose size differs from method to method."""
    return "n/a" if value is None else f"{value:.4g}"


def percent(value: float) -> str:
    """A share in [0, 1]."""
    return f"{100 * value:.1f} %"


def interval(found: dict | None) -> str:
    """An interval (low, high, why), or why there is none."""
    if not found or found["low"] is None:
        return f"none: {found['why']}" if found and found["why"] else "none"
    return f"{found['low']:.3f} to {found['high']:.3f}"


def table(header: list[str], rows: list[list[str]], text_columns: int = 1) -> str:
    """An HTML table of plain texts, which are escaped here; columns after the first `text_columns` are numbers."""

    def line(cells: list[str], tag: str) -> str:
        kinds = ["" if i < text_columns else " class='number'" for i in range(len(cells))]
        return "<tr>" + "".join(f"<{tag}{kind}>{escape(c)}</{tag}>" for c, kind in zip(cells, kinds, strict=True)) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return f"<div class='wide'><table>\n<thead>{line(header, 'th')}</thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
