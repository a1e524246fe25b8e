"""What is written to Shopify: nothing yet."""
