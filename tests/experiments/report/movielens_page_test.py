from experiments.report import movielens_page


def test_genres_have_short_names_and_the_user_whole_ones(monkeypatch):
    drawn = {}

    def attention_heatmap(attention, **given):
        drawn.update(given, field_names=attention.field_names)

    monkeypatch.setattr(movielens_page, "attention_heatmap", attention_heatmap)
    monkeypatch.setattr(movielens_page, "picture", lambda figure, name, alt: name)
    fields = ["user", "movie", "Crime", "Sci-Fi"]
    record = {
        "field_names": fields,
        "field_weights": [[0.25] * 4],
        "order_weights": [1.0],
        "values": dict(zip(fields, ["user", "Fargo", "Crime", "not Sci-Fi"], strict=True)),
        "genres": ["Crime"],
        "effects": [0.1, 0.2, 0.3, 0.4],
    }
    movielens_page.heatmap(record, "Fargo", "figure_6")
    assert drawn["field_names"] == ["user", "movie", "Cri", "Sci"]
    assert drawn["values"] == ["", "Fargo", "", ""]
    assert drawn["marks"] == [False, False, True, False]
    assert drawn["effects"] == [0.1, 0.2, 0.3, 0.4]
