"""Medusa sends no webhooks by itself; a shop can add a subscriber that does. Polling by updated_at serves instead."""
