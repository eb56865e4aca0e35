"""How fast the models train, predict and explain."""
