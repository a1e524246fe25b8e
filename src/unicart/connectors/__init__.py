"""Adapters to platforms, one folder each, all of one shape. They know no store and no API."""
