"""Container engines, one file each: pure, loaded by entry point, imported by nobody."""
