"""The sandbox sends no webhooks: it never changes by itself, and polling it costs nothing."""
