"""Confines all that a session starts: what may be seen and written, worked out once and held by the kernel."""
