"""What the other packages need and that knows none of them."""
