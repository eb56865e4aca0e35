"""One content, two pages: sections of text, tables and pictures as Markdown and as HTML."""

import base64
import dataclasses
import html
import re

from experiments.common.markdown import markdown_table
from experiments.report.figures import as_bytes
from interhat_tf.utils.files import atomic_write

REPRODUCED, PARTLY, NOT, NOT_RUN = (
    "✓ reproduced",
    "◐ in part",
    "✗ **not reproduced**",
    "– not run here",
)
# What a page names beside the date of a result: TensorFlow and Keras always, others where used.
LIBRARIES = {
    "tensorflow": "TensorFlow",
    "keras": "Keras",
    "jax": "JAX",
    "onnxruntime": "ONNX Runtime",
}


@dataclasses.dataclass(frozen=True)
class Table:
    """A table; all cells are text, in which `**` marks what is bold.

    Args:
        header: Titles of the columns.
        rows: Lists of cells.
        fold: Title under which the table is hidden until it is opened; none shows it.
        numeric: Whether all columns but the first hold numbers, which lie right and do not wrap.
    """

    header: list
    rows: list
    fold: str | None = None
    numeric: bool = True


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture.

    Args:
        name: Its file's name beside the Markdown page, without ending.
        alt: What it shows, for those who do not see it.
        png: Its bytes as PNG, for Markdown.
        svg: Its bytes as SVG, for HTML, which holds them itself.
    """

    name: str
    alt: str
    png: bytes
    svg: bytes


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a page: a title, and texts, `Table`s and `Picture`s under it."""

    title: str
    blocks: list


def write_pages(folder, title, sections):
    """Writes a page as `README.md`, with its pictures beside it, and as `index.html`."""
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Picture):
                _write(folder / f"{block.name}.png", block.png)
    _write(folder / "README.md", markdown(title, sections).encode())
    _write(folder / "index.html", html_page(title, sections).encode())
    print(f"{folder}/README.md, {folder}/index.html")


def _write(path, data):
    with atomic_write(path) as file:
        file.write(data)


def markdown(title, sections):
    """Returns the page as Markdown; its pictures are files beside it."""
    parts = [f"# {title}\n"]
    for section in sections:
        parts.append(f"## {section.title}\n")
        for block in section.blocks:
            if isinstance(block, Table):
                parts.append(_markdown_table(block))
            elif isinstance(block, Picture):
                parts.append(f"![{block.alt}]({block.name}.png)\n")
            else:
                parts.append(f"{block}\n")
    return "\n".join(parts)


def _markdown_table(table):
    rows = markdown_table(table.header, table.rows, table.numeric)
    if table.fold:
        return f"<details><summary>{table.fold}</summary>\n\n{rows}\n</details>\n"
    return rows


def html_page(title, sections):
    """Returns the page as HTML that needs no other file and no network."""
    body = [f"<h1>{html.escape(title)}</h1>"]
    for section in sections:
        body.append(f"<h2>{html.escape(section.title)}</h2>")
        body += [_html_block(block) for block in section.blocks]
    return _PAGE.format(title=html.escape(title), style=_STYLE, body="\n".join(body))


def _html_block(block):
    if isinstance(block, Table):
        head = "".join(f"<th>{_inline(cell)}</th>" for cell in block.header)
        rows = "\n".join(
            "<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>"
            for row in block.rows
        )
        # A wide table scrolls in itself, so that the page is never wider than the screen.
        kind = "numeric" if block.numeric else "words"
        table = (
            f'<div class="scroll" tabindex="0"><table class="{kind}"><thead><tr>{head}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>"
        )
        if block.fold:
            return f"<details><summary>{html.escape(block.fold)}</summary>{table}</details>"
        return table
    if isinstance(block, Picture):
        data = base64.b64encode(block.svg).decode()
        return f'<img src="data:image/svg+xml;base64,{data}" alt="{html.escape(block.alt)}">'
    if block.startswith("- "):
        return "<ul>" + "".join(f"<li>{_inline(line)}</li>" for line in _items(block)) + "</ul>"
    return f"<p>{_inline(block)}</p>"


def _items(block):
    return [item.replace("\n", " ") for item in re.split(r"\n?- ", block)[1:]]


def picture(figure, name, alt):
    """Returns a figure as a `Picture`."""
    return Picture(name, alt, as_bytes(figure, "png"), as_bytes(figure, "svg"))


def written(summary: dict, command: str) -> str:
    """Returns the sentence that says when, by what and with what a summary was written."""
    used = summary["versions"]
    by = [f"{title} {used[name]}" for name, title in LIBRARIES.items() if name in used]
    by.append(summary.get("device") or used["machine"])
    return f"Written on {summary['date']} by `{command}`; {', '.join(by)}."


def _inline(text):
    """Escapes a text, and gives its bold and italic words, code and links their HTML."""
    text = html.escape(text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    text = re.sub(r"\*(.+?)\*", r"<em>\1</em>", text)
    text = re.sub(r"`(.+?)`", r"<code>\1</code>", text)
    return re.sub(r"\[(.+?)\]\((.+?)\)", r'<a href="\2">\1</a>', text)


_STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --soft: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --line: #3d444d; --soft: #151b23; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; }
h2 { font-size: 1.25rem; margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
p, li { max-width: 48rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
th, td { border: 1px solid var(--line); padding: 0.25rem 0.6rem; text-align: left; }
th { background: var(--soft); }
.numeric :is(th, td):not(:first-child) { text-align: right; white-space: nowrap; }
.words :is(th, td) { min-width: 8rem; }
img { display: block; max-width: 100%; height: auto; background: white; margin: 1rem 0; }
code { background: var(--soft); overflow-wrap: anywhere; }
summary { cursor: pointer; }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""
