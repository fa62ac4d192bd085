"""Who is calling: a bearer token becomes a principal, or nothing at all."""
