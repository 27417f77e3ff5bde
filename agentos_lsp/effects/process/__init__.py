"""Starts, watches and ends child processes; the only place that spawns."""
