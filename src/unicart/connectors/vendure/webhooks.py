"""Vendure sends no webhooks; a shop that wants them writes a plugin of its own. Polling serves instead."""
