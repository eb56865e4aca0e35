"""One content, two pages: paragraphs, tables and pictures as Markdown and as HTML."""

import base64
import dataclasses
import html
import io
import itertools
import pathlib
import re
from collections.abc import Iterator, Sequence

import jinja2
from markdown_it import MarkdownIt
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.common.markdown import markdown_table
from interhat_tf.utils.files import atomic_write

# Okabe and Ito's colours, which colour-blind readers can tell apart.
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#6b7280"
# Of the HTML page around all blocks, and of what the Markdown pages say.
PAGES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent / "pages"),
    autoescape=jinja2.select_autoescape(["html"]),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
)

WIDE = 480
"""Pixels of a screen from which a picture is wider than a phone's."""

MANY_SECTIONS = 6
"""Sections from which a page has a list of them."""

FONT = {"font.size": 9, "svg.fonttype": "path", "svg.hashsalt": "interhat_tf"}
DPI = 150


@dataclasses.dataclass(frozen=True)
class Table:
    """A table; all cells are text, in which `**` marks what is bold."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    fold: str | None = None  # the title under which it is hidden until it is opened
    numeric: bool = True  # all columns but the first are aligned to the right and do not wrap


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture."""

    name: str  # of its file beside the Markdown page, without the suffix
    alt: str  # what it shows, for those who do not see it
    png: bytes
    svg: bytes | None = None  # what the HTML page embeds; the PNG without one


Block = str | Table | Picture  # text is a paragraph, a heading or a list in Markdown


def picture(figure: Figure, name: str, alt: str) -> Picture:
    """Returns a figure as a `Picture`."""
    return Picture(name, alt, as_bytes(figure, "png"), as_bytes(figure, "svg"))


def as_bytes(figure: Figure, form: str) -> bytes:
    """Returns a figure as `"png"` or `"svg"`; the same figure gives the same bytes."""
    file = io.BytesIO()
    # A date in the file would make every drawing a new one.
    dateless = {"metadata": {"Date": None}} if form == "svg" else {}
    with rc_context(FONT):
        figure.savefig(file, format=form, dpi=DPI, **dateless)
    return file.getvalue()


def without_frame(panel: Axes) -> None:
    """Hides the upper and the right line around a panel."""
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def write_pages(folder: pathlib.Path, blocks: Sequence[Block]) -> None:
    """Writes a page as `README.md`, with its pictures beside it, and as `index.html`."""
    blocks = with_contents(blocks)
    files = {"README.md": markdown(blocks), "index.html": html_page(blocks)}
    files |= {f"{block.name}.png": block.png for block in blocks if isinstance(block, Picture)}
    for name, content in files.items():
        with atomic_write(folder / name) as file:
            file.write(content.encode() if isinstance(content, str) else content)
    print(f"wrote {folder}/README.md and index.html")


def with_contents(blocks: Sequence[Block]) -> Sequence[Block]:
    """Returns a page with links to its sections after the first one, if there are many."""
    sections = [heading for heading in headings(blocks) if heading[1] == 2]
    if len(sections) < MANY_SECTIONS:
        return blocks
    links = "\n".join(f"- [{title}](#{anchor})" for _, _, title, anchor in sections[1:])
    second = sections[1][0]
    return [*blocks[:second], "## Contents", links, *blocks[second:]]


def headings(blocks: Sequence[Block]) -> Iterator[tuple[int, int, str, str]]:
    """Yields place, level, title and anchor of each heading, the anchor as GitHub makes it."""
    known: dict[str, int] = {}
    for place, block in enumerate(blocks):
        if not (isinstance(block, str) and (found := re.fullmatch(r"(#+) (.*)", block))):
            continue
        anchor = re.sub(r"[^\w\- ]", "", found[2].lower()).replace(" ", "-")
        number = known[anchor] = known.get(anchor, -1) + 1
        yield place, len(found[1]), found[2], f"{anchor}-{number}" if number else anchor


def markdown(blocks: Sequence[Block]) -> str:
    """Returns the page as Markdown; its pictures are files beside it."""
    return "\n".join(map(_markdown_block, blocks))


def _markdown_block(block):
    if isinstance(block, str):
        return f"{block}\n"
    if isinstance(block, Picture):
        return f"![{block.alt}]({block.name}.png)\n"
    table = markdown_table(block.header, block.rows, block.numeric)
    if block.fold:
        return f"<details><summary>{block.fold}</summary>\n\n{table}\n</details>\n"
    return table


def html_page(blocks: Sequence[Block]) -> str:
    """Returns the page as HTML that needs no other file and no network.

    Args:
        blocks: The page; the first is its title.
    """
    anchors = {place: anchor for place, _, _, anchor in headings(blocks)}
    parts = [_html_block(block, anchors.get(place)) for place, block in enumerate(blocks)]
    title = str(blocks[0]).removeprefix("# ")
    return PAGES.get_template("page.html").render(title=title, parts=parts)


def _html_block(block, anchor=None):
    if isinstance(block, str):
        return _render(block, anchor)
    if isinstance(block, Picture):
        kind, data = ("svg+xml", block.svg) if block.svg else ("png", block.png)
        encoded = base64.b64encode(data).decode()
        image = Markup('<img src="data:image/{};base64,{}" alt="{}">')
        image = image.format(kind, encoded, block.alt)
        # Smaller than it is, its words could not be read: it scrolls as a table does.
        wide = Markup('<div class="wide" tabindex="0">{}</div>')
        return wide.format(image) if _width(block.png) > WIDE else image
    # A wide table scrolls inside its own box, so that the page is never wider than the screen.
    kind = "numeric" if block.numeric else "words"
    table = _render(
        markdown_table(block.header, block.rows, block.numeric), cards=not block.numeric
    )
    body = Markup('<div class="scroll {}" tabindex="0">{}</div>').format(kind, table)
    fold = Markup("<details><summary>{}</summary>{}</details>")
    return fold.format(block.fold, body) if block.fold else body


def _width(png):
    """Returns how many of a screen's 96 dots an inch a picture is wide, as its header says."""
    return int.from_bytes(png[16:20]) * 96 / DPI


def _render(text, anchor=None, cards=False):
    """Returns Markdown as HTML, whose links lead to pages, and a heading with its anchor.

    A table that becomes cards on a phone, where it has no header, tells each cell its column.
    """
    tokens = _MARKDOWN.parse(text)
    if anchor:
        tokens[0].attrSet("id", anchor)
    if cards:
        _name_columns(tokens)
    for child in itertools.chain.from_iterable(token.children or () for token in tokens):
        if child.type == "link_open":
            target = child.attrs["href"]
            if ":" not in target:  # of this folder
                target = re.sub(r"\bREADME\.md(?=#|$)", "index.html", target)
            child.attrSet("href", target)
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def _name_columns(tokens):
    columns, place = [], 0
    for token, content in itertools.pairwise(tokens):
        if token.type == "th_open":
            columns.append(content.content)
        elif token.type == "tr_open":
            place = 0
        elif token.type == "td_open":
            token.attrSet("data-column", columns[place])
            place += 1


def _code(self, tokens, place, options, env):
    """Returns code whose words stay whole, or break behind a dot or a slash where they are long."""
    words = html.escape(tokens[place].content).split(" ")
    broken = [re.sub(r"(?<=[\w>][./_])(?=\w)", "<wbr>", word) for word in words]
    return f"<code>{' '.join(f'<span>{word}</span>' for word in broken)}</code>"


# Escapes HTML; tables are an extension of CommonMark.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_MARKDOWN.add_render_rule("code_inline", _code)
