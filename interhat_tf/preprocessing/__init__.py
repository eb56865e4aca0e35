"""From a raw click log to a prepared set: reading, counting, encoding, shuffling, writing."""
