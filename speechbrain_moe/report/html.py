"""Pieces of a page that needs no other file: tables, pictures, numbers.

 * pictures stand inside the page; nothing is fetched, no script runs
 * black on white, one column: it prints
 * text of others is escaped by whoever calls; cells are HTML

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import base64
from html import escape

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
       max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0.2rem; }
h2 { margin-top: 2.4rem; border-bottom: 1px solid #ccc; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: 0.25rem 0.8rem 0.25rem 0; text-align: left;
         border-bottom: 1px solid #e4e4e4; vertical-align: top; }
th { font-weight: 600; }
td.n, th.n { text-align: right; white-space: nowrap;
             font-variant-numeric: tabular-nums; }
img { max-width: 100%; height: auto; display: block; margin: 1rem 0; }
.note { color: #444; font-size: 0.92rem; }
code { font-size: 0.88rem; overflow-wrap: anywhere; }
td code { white-space: nowrap; }
"""


def document(title: str, body: str) -> str:
    """Put a page around its body.

    Arguments
    ---------
    title : str
        Plain text.
    body : str
        HTML.

    Returns
    -------
    str
        HTML, whole.

    Example
    -------
    >>> document("Report", "<p>Text</p>").splitlines()[0]
    '<!DOCTYPE html>'
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{body}</body>\n</html>\n"
    )


def table(head, rows, numbers=(1, 2)) -> str:
    """Make a table.

    Arguments
    ---------
    head : sequence of str
        Names of the columns, HTML.
    rows : sequence of sequence of str
        Cells, HTML.
    numbers : collection of int
        Columns that stand to the right.

    Returns
    -------
    str
        HTML.

    Example
    -------
    >>> print(table(["a"], [["1"]], numbers=[0]), end="")
    <table>
    <tr><th class="n">a</th></tr>
    <tr><td class="n">1</td></tr>
    </table>
    """

    def line(tag, cells):
        marks = (' class="n"' if i in numbers else "" for i in range(len(head)))
        inner = (f"<{tag}{m}>{c}</{tag}>" for m, c in zip(marks, cells))
        return f"<tr>{''.join(inner)}</tr>\n"

    body = "".join(line("td", row) for row in rows)
    return f"<table>\n{line('th', head)}{body}</table>\n"


def image(png: bytes, alt: str) -> str:
    """Put a picture inside the page, two thirds of its pixels wide.

    Pictures are drawn at 150 pixels an inch, so that they stay sharp when
    enlarged or printed, and shown at 100.

    Arguments
    ---------
    png : bytes
        The picture.
    alt : str
        What it shows, for who cannot see it; plain text.

    Returns
    -------
    str
        HTML.

    Example
    -------
    >>> image(bytes(16) + (300).to_bytes(4, "big"), "load")[:28]
    '<img alt="load" width="200" '
    """
    width = int.from_bytes(png[16:20], "big") * 2 // 3  # as the header says
    data = base64.b64encode(png).decode()
    return (
        f'<img alt="{escape(alt)}" width="{width}" '
        f'src="data:image/png;base64,{data}">\n'
    )


def count_of(n: int, noun: str) -> str:
    """Write a number with its noun.

    Arguments
    ---------
    n : int
        How many.
    noun : str
        In the singular.

    Returns
    -------
    str
        Both.

    Example
    -------
    >>> count_of(1, "file"), count_of(2, "file")
    ('1 file', '2 files')
    """
    return f"{n} {noun}" + ("" if n == 1 else "s")


def interval_text(interval: dict | None) -> str:
    """Write an estimate with its interval, or a dash where there is none.

    Arguments
    ---------
    interval : dict, optional
        With estimate, low and high.

    Returns
    -------
    str
        Two decimals.

    Example
    -------
    >>> interval_text({"estimate": 7.1, "low": 5, "high": 10})
    '7.10 [5.00, 10.00]'
    """
    if interval is None:
        return "-"
    low, high = interval["low"], interval["high"]
    return f"{interval['estimate']:.2f} [{low:.2f}, {high:.2f}]"
