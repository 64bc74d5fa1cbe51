"""What engines have in common: checks, words, and scripts that the host's Python runs on a node.

It goes there with the job: standard library alone, Python 3.9 or later.
"""
