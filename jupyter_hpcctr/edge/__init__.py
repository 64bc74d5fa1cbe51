"""The only room that touches the world: processes, files, sockets, clocks.

It does what it is told and decides nothing; what decides lives in ``core`` and does no I/O.
"""
