"""What is written to Amazon: nothing yet."""
