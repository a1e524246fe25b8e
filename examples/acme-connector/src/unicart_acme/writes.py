"""Acme's shop takes no writes: its API only reads."""
