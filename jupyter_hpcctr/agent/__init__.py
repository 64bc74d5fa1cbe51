"""Runs in the job, on the host side: standard library and pyzmq only, so that it starts fast."""
