"""Made-up click records whose labels follow a planted rule."""
