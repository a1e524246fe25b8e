"""Acme sends no webhooks; it is polled by changed_at."""
