"""Which bytes is this name? References, digests, and the store of flattened images."""
