import re

import pytest
from matplotlib.figure import Figure

from experiments.report.blocks import (
    Picture,
    Table,
    as_bytes,
    html_page,
    markdown,
    picture,
    with_contents,
)
from experiments.report.cells import written
from experiments.report.sensitivity_page import sensitivity_figure


def test_texts_are_escaped():
    table = Table(["<i>", "b", "c"], [["<script>alert(1)</script>", "**bold**", "`code` *italic*"]])
    page = html_page(["# <title>", "## <b>A & B</b>", "x < y", table])
    assert "<title>&lt;title&gt;</title>" in page
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "<strong>bold</strong>" in page
    assert "<code><span>code</span></code> <em>italic</em>" in page
    assert "&lt;b&gt;A &amp; B&lt;/b&gt;" in page


def test_cells_know_their_column():
    table = Table(["paper", "<here>"], [["Table 1", "no"], ["Table 2", "yes"]], numeric=False)
    cells = re.findall(r'<td.*? data-column="(.*?)">(.*?)</td>', html_page(["# T", table]))
    of_rows = [("paper", "Table 1"), ("&lt;here&gt;", "no"), ("paper", "Table 2")]
    assert cells == [*of_rows, ("&lt;here&gt;", "yes")]


def test_markdown_of_each_block():
    picture = Picture("figure_9", "what it shows", b"", b"")
    table = Table(["a", "b"], [["1", "2"]], fold="more")
    text = markdown(["# T", "## S", "words", table, picture])
    assert text.startswith("# T\n\n## S\n\nwords\n")
    assert "<details><summary>more</summary>\n\n| a | b |\n| --- | ---: |\n| 1 | 2 |\n" in text
    assert "![what it shows](figure_9.png)" in text


@pytest.mark.parametrize("form", ["png", "svg"])
def test_the_same_summary_gives_the_same_picture(form):
    point = {"test": {m: {"mean": 0.5, "std": 0.1} for m in ("auc", "logloss")}, "seeds": [1]}
    summary = {"flag": "order", "points": [{"order": k, **point} for k in (1, 2)]}
    pictures = [
        as_bytes(sensitivity_figure({"x": summary}, "figure_4", "k"), form) for _ in range(2)
    ]
    assert pictures[0] == pictures[1]


def test_written_names_what_the_record_has():
    record = {"date": "2026-01-01", "versions": {"keras": "3", "jax": "1", "machine": "2 cores"}}
    assert written(record, "a b") == "Written on 2026-01-01 by `a b`; Keras 3, JAX 1, 2 cores."
    assert written({**record, "device": "a GPU"}, "a").endswith("; Keras 3, JAX 1, a GPU.")


def test_html_embeds_the_svg_or_else_the_png():
    pictures = [Picture("a", "one", b"x", b"y"), Picture("b", "other", b"x")]
    page = html_page(["# T", *pictures])
    assert "data:image/svg+xml;base64,eQ==" in page and "data:image/png;base64,eA==" in page


def test_words_of_code_stay_whole_or_break_behind_a_dot():
    page = html_page(["# T", "`python -m experiments.a_b --dataset=NAME,<x>`"])
    words = ["python", "-m", "experiments.<wbr>a_<wbr>b", "--dataset=NAME,&lt;x&gt;"]
    assert f"<code>{' '.join(f'<span>{word}</span>' for word in words)}</code>" in page


def test_a_picture_wider_than_a_phone_scrolls():
    def drawn(inches):
        return picture(Figure(figsize=(inches, 1)), f"of {inches}", f"{inches} inches")

    page = html_page(["# T", drawn(3), drawn(9)])
    alone, scrolled = re.findall(r"(.*)<img .*>", page)
    assert alone == "" and scrolled == '<div class="wide" tabindex="0">'


def sections(number):
    titles = ["Rows & columns", "Same", "Same", *map(str, range(number - 3))]
    return ["# T", *(block for title in titles for block in (f"## {title}", "words"))]


def test_a_long_page_lists_its_sections_after_the_first():
    page = with_contents(sections(6))
    assert page[:3] == ["# T", "## Rows & columns", "words"]
    links = ["- [Same](#same)", "- [Same](#same-1)", "- [0](#0)", "- [1](#1)", "- [2](#2)"]
    assert page[3:5] == ["## Contents", "\n".join(links)] and page[5:] == sections(6)[3:]
    text = html_page(page)
    anchors = re.findall(r'<h2 id="(.*?)">', text)
    assert anchors == ["rows--columns", "contents", "same", "same-1", "0", "1", "2"]
    assert re.findall(r'href="#(.*?)"', text) == anchors[2:]
    assert with_contents(sections(5)) == sections(5)


def test_links_of_the_html_page_open_pages():
    words = "[a](x/README.md), [b](../README.md#part), [c](https://x.org/README.md), [d](a.png)"
    table = Table(["a"], [["[e](y/README.md)"]], numeric=False)
    found = re.findall(r'href="([^"]*)"', html_page(["# T", words, table]))
    wanted = ["x/index.html", "../index.html#part", "https://x.org/README.md", "a.png"]
    assert found[1:] == [*wanted, "y/index.html"]
    assert "(x/README.md)" in markdown(["# T", words])
