"""The hosted dialog with which merchants connect their shops: its script, its pages, and authorization at platforms."""
