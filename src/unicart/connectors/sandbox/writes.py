"""What is written to The sandbox: nothing yet."""
