"""What to pull when: runs, checkpoints and connection errors."""
