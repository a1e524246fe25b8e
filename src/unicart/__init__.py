"""Unicart: one API for every cart's orders, self-hosted."""

from importlib.metadata import version

__version__ = version("unicart")
