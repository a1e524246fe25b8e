"""Extensiv's webhooks are set up by hand (Customers > Event Notifications); there is no request that third parties may make
to subscribe, short of rewriting a customer's whole record. Polling by lastModifiedDate serves instead."""
