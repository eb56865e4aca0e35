from experiments.speed.paper_models import arguments_of


def test_arguments_are_the_papers():
    assert arguments_of("interhat", "avazu")["num_heads"] == 8  # Table 2
    assert arguments_of("interhat_paper", "avazu")["key_dim"] == 1  # d / h
    assert "key_dim" not in arguments_of("interhat_wide", "avazu")  # s, its default
    assert arguments_of("deepfm", "avazu") == {"embedding_dim": 8, "mlp_units": (400, 400, 400)}
    assert arguments_of("lr", "avazu") == {}
