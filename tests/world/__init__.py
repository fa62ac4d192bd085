"""The world under test; see README.md beside this file."""

from .world import Response, World

__all__ = ["Response", "World"]
