"""What is written to Extensiv: nothing yet."""
