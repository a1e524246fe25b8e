"""What is written to WooCommerce: nothing yet."""
