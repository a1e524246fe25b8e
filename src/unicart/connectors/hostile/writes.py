"""The hostile platform takes no writes."""
