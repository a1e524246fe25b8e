"""Amazon sends no webhooks: its notifications go to a queue (SQS) or an event bus (EventBridge) of the developer's own AWS
account, never to an HTTP address. Changes are polled for by their date of update."""
