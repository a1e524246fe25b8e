"""What is written to Vendure: nothing yet."""
