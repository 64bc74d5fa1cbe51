"""Runs in the container: standard library at import, Python 3.9 or later, nothing else of this package."""
