"""How fast every model trains, predicts and explains, in shares of what the machine can do."""
