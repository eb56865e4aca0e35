import types

import matplotlib
import numpy as np
import pytest

from interhat_tf.explanation.heatmap import attention_heatmap, save_heatmap


def make_attention(k, m, names=None):
    rng = np.random.default_rng(k * m)
    return types.SimpleNamespace(
        field_names=tuple(names or [f"f{i}" for i in range(1, m + 1)]),
        field_weights=rng.dirichlet(np.ones(m), k),
        order_weights=rng.dirichlet(np.ones(k)),
    )


def panels(figure):
    orders, fields, colour_bar = figure.axes
    return orders, fields, colour_bar


def texts(axes):
    return [text.get_text() for text in axes.texts]


def tick_texts(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_shows_the_weights_and_their_names():
    attention = make_attention(3, 10)
    figure = attention_heatmap(attention, title="Rule 3")
    orders, fields, colour_bar = panels(figure)
    np.testing.assert_array_equal(fields.images[0].get_array(), attention.field_weights)
    np.testing.assert_array_equal(orders.images[0].get_array()[:, 0], attention.order_weights)
    assert tick_texts(orders.yaxis) == ["1st", "2nd", "3rd"]
    assert tick_texts(fields.xaxis) == list(attention.field_names)
    assert tick_texts(orders.xaxis) == [r"$\alpha_f$"]
    assert texts(fields) == [f"{weight:.2f}" for weight in attention.field_weights.ravel()]
    assert texts(orders) == [f"{weight:.2f}" for weight in attention.order_weights]
    assert "darker is larger" in colour_bar.get_title()
    assert [text.get_text() for text in figure.texts] == ["Rule 3"]


def test_darker_is_larger_on_the_same_scale_in_both_panels():
    orders, fields, _ = panels(attention_heatmap(make_attention(2, 10)))
    assert orders.images[0].norm is fields.images[0].norm
    assert (fields.images[0].norm.vmin, fields.images[0].norm.vmax) == (0, 1)
    lightness = [fields.images[0].to_rgba(weight)[:3] @ np.ones(3) for weight in (0, 0.3, 0.6, 1)]
    assert (np.diff(lightness) < 0).all()


def test_small_weights_differ_and_the_largest_is_not_cut():
    _, fields, colour_bar = panels(attention_heatmap(make_attention(2, 10)))
    image = fields.images[0]
    # The square roots of weights, 0.17 and 0.08 say, are a seventh of the scale apart.
    assert image.norm(0.17) - image.norm(0.08) == pytest.approx(0.17**0.5 - 0.08**0.5)
    assert tick_texts(colour_bar.xaxis) == ["0", "0.05", "0.25", "0.5", "1"]


def test_effects_are_a_row_with_signs_below_the_orders():
    attention = make_attention(2, 4)
    effects = [1.25, 0.0, -2.5, 0.04]
    figure = attention_heatmap(attention, effects=effects, marks=[True, False, False, True])
    _, fields, row, marks, _ = figure.axes
    np.testing.assert_array_equal(row.images[0].get_array(), [effects])
    assert (row.images[0].norm.vmin, row.images[0].norm.vmax) == (-2.5, 2.5)
    assert texts(row) == ["+1.2", "+0.0", "-2.5", "+0.0"]
    assert tick_texts(row.yaxis) == ["effect"]
    tops = [axes.get_position().y1 for axes in (marks, row, fields)]
    bottoms = [axes.get_position().y0 for axes in (row, fields)]
    assert tops[0] < bottoms[0] and tops[1] < bottoms[1]
    pale = attention_heatmap(attention, effects=[0.04, 0.0, -0.03, 0.0])
    assert pale.axes[2].images[0].get_clim() == (-0.5, 0.5)
    attention_heatmap(attention, effects=np.zeros(4)).draw_without_rendering()
    with pytest.raises(ValueError, match="there are 4 fields but 3 effects"):
        attention_heatmap(attention, effects=[1.0] * 3)


def test_values_stand_under_the_field_names_and_long_ones_are_cut():
    attention = make_attention(1, 3)
    values = ["Sci-Fi", "x" * 40, 1984]
    figure = attention_heatmap(attention, values=values)
    _, fields, _ = panels(figure)
    shown = fields.texts[-3:]
    assert [text.get_text() for text in shown] == ["Sci-Fi", "x" * 23 + "…", "1984"]
    figure.draw_without_rendering()
    cells = fields.get_window_extent()
    for value, name in zip(shown, fields.get_xticklabels(), strict=True):
        assert cells.y1 <= value.get_window_extent().y0
        assert value.get_window_extent().y1 <= name.get_window_extent().y0


@pytest.mark.parametrize("blank", [" ", "\u200b", "\u3000"])
def test_blank_names_and_values(blank):
    attention = make_attention(1, 3, [blank, "site", blank * 2])
    attention_heatmap(attention, values=[blank] * 3).draw_without_rendering()


def test_highlighted_fields_are_framed():
    _, fields, _ = panels(attention_heatmap(make_attention(2, 10), highlight=["f3", "f4"]))
    frames = [(patch.get_x(), patch.get_width(), patch.get_height()) for patch in fields.patches]
    assert frames == [(1.5, 1, 2), (2.5, 1, 2)]


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize(
    "names",
    [
        [f"f{i}" for i in range(1, 11)],
        [f"a_rather_long_field_name_{i}" for i in range(24)],
        [f"I{i}" for i in range(1, 14)] + [f"C{i}" for i in range(1, 27)],
        [f"user_category_{i}" for i in range(39)],
    ],
    ids=["10", "24", "39-short", "39-long"],
)
def test_labels_fit_the_figure_without_overlap(k, names):
    values = [f"value {i}" for i in range(len(names))]
    title = "a condition with a long name " * 8
    figure = attention_heatmap(
        make_attention(k, len(names), names), title=title, values=values, highlight=names[:1]
    )
    figure.draw_without_rendering()
    orders, fields, colour_bar = panels(figure)
    labels = [*fields.get_xticklabels(), *orders.get_xticklabels(), *orders.get_yticklabels()]
    labels += [*fields.texts, *orders.texts, *figure.texts, colour_bar.title]
    labels += [orders.yaxis.label, *colour_bar.get_xticklabels()]
    boxes = [label.get_window_extent() for label in labels if label.get_text()]
    for box in boxes:
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
    x0, y0, x1, y1 = np.transpose([box.extents for box in boxes])
    apart = np.less.outer(x1, x0) | np.less.outer(y1, y0)  # (labels, labels)
    assert (apart | apart.T | np.eye(len(boxes), dtype=bool)).all()
    assert len(texts(fields)) == k * len(names) + len(names)  # every number and every value


def test_narrow_cells_have_no_numbers():
    orders, fields, _ = panels(attention_heatmap(make_attention(2, 80)))
    assert texts(fields) == []
    assert len(texts(orders)) == 2


def test_a_name_with_dollar_signs_is_not_a_formula(tmp_path):
    figure = attention_heatmap(make_attention(1, 2, [r"$\frac$", "b"]), values=["$1-$2", "$x_$"])
    save_heatmap(figure, tmp_path / "dollars.png")


def test_files_are_small_and_the_same_again(tmp_path):
    for name in "ab":
        save_heatmap(attention_heatmap(make_attention(3, 39)), tmp_path / "new" / f"{name}.png")
    first, second = ((tmp_path / "new" / f"{name}.png").read_bytes() for name in "ab")
    assert first == second
    assert first.startswith(b"\x89PNG") and b"Software" not in first
    assert len(first) < 150_000
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_pyplot_does_not_know_the_figure():
    before = matplotlib._pylab_helpers.Gcf.get_all_fig_managers()  # other tests' figures
    attention_heatmap(make_attention(1, 2))
    assert matplotlib._pylab_helpers.Gcf.get_all_fig_managers() == before


def test_wrong_arguments_are_errors():
    attention = make_attention(2, 10)
    with pytest.raises(ValueError, match="10 fields but 3 values"):
        attention_heatmap(attention, values=["a", "b", "c"])
    with pytest.raises(ValueError, match="unknown fields to highlight: f11"):
        attention_heatmap(attention, highlight=["f1", "f11"])
    attention.field_weights = attention.field_weights[:1]
    with pytest.raises(ValueError, match=r"shape \(2, 10\), got \(1, 10\)"):
        attention_heatmap(attention)


def test_marks_are_a_row_of_black_cells_below_the_orders():
    attention = make_attention(3, 4)
    figure = attention_heatmap(attention, marks=[True, False, False, True], marks_label="raw $g$")
    _, fields, row, _ = figure.axes
    np.testing.assert_array_equal(row.images[0].get_array(), [[1, 0, 0, 1]])
    black, white = (row.images[0].to_rgba(np.array([[value]]))[0, 0, :3] for value in (1.0, 0.0))
    assert black.max() < 0.1 and white.min() > 0.9
    assert tick_texts(row.yaxis) == [r"raw \$g\$"]
    above, below = fields.get_position(), row.get_position()
    assert (above.x0, above.x1) == pytest.approx((below.x0, below.x1))
    assert below.y1 < above.y0
    with pytest.raises(ValueError, match="there are 4 fields but 3 marks"):
        attention_heatmap(attention, marks=[True] * 3)
