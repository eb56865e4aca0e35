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


def test_the_movies_record_and_that_of_any_movie_have_a_picture_each(monkeypatch):
    monkeypatch.setattr(movielens_page, "heatmap", lambda record, title, name: (record, name))
    case = {"order": 2, "movie": "Leon", "dominated": [0.1, 0.9], "record": {"values": "of Leon"}}
    any_movie = {"values": {"movie": "Fargo"}}
    found = movielens_page.of_case("figure_6", {**case, "any_movie": any_movie})
    assert found["of_movie"] == (case["record"], "figure_6")
    assert found["of_any_movie"] == (any_movie, "figure_6_any_movie")
    assert (found["number"], found["order"], found["shares"]) == ("6", "second", "10%, 90%")
