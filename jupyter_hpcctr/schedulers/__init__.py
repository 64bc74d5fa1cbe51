"""Schedulers, one file each: words out, words in; loaded by entry point, imported by nobody."""
