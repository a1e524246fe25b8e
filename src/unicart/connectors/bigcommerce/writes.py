"""What is written to BigCommerce: nothing yet."""
