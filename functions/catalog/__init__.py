"""The catalog: what is sold, and at which price."""
