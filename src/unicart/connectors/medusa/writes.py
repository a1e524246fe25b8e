"""What is written to Medusa: nothing yet."""
