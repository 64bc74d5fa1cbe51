"""What decides: pure values and functions, standard library only, no I/O, no clock, no environment."""
