import pytest

from interhat_tf.explanation.heatmap_layout import layout_of

SHORT, LONG = ["f1", "f2"], ["a_rather_long_name", "f2"]


def layout(names=SHORT, values=(), title=None, orders=3, has_marks=False):
    return layout_of(names, values, title, orders, has_marks)


def test_labels_lie_flat_where_they_fit_and_stand_where_not():
    assert layout().names.rotation == 0
    assert layout(LONG).names.rotation == 90
    assert layout(LONG).names.height > layout().names.height > 0
    assert layout().values.height == 0


def test_each_part_adds_its_height():
    plain = layout().height
    assert layout(orders=4).height - plain == pytest.approx(
        layout(orders=4).panels_height - layout().panels_height
    )
    marked = layout(has_marks=True)
    assert marked.height - plain == pytest.approx(marked.panels_bottom - layout().panels_bottom)
    titled = [layout(title="word " * words).height for words in (1, 30)]
    assert plain < titled[0] < titled[1]


def test_many_fields_have_narrow_cells():
    few, many = layout(), layout([f"f{i}" for i in range(60)])
    assert few.cell_width > many.cell_width
    assert many.fields_width == pytest.approx(60 * many.cell_width)
    assert many.fields_left + many.fields_width < many.width


def test_a_box_is_in_shares_of_the_picture():
    found = layout()
    assert found.box(0, 0, found.width, found.height) == (0, 0, 1, 1)
    assert found.box(found.width / 2, 0, 1, 1)[0] == 0.5
