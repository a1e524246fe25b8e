"""Events on their way out: signed webhooks, each endpoint's by a task of its own."""
