"""Avazu's click-through rate challenge, a log of mobile ads and clicks."""
