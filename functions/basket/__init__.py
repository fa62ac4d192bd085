"""The floating basket: one per person, on every channel, and nothing accepted is ever lost."""
