"""The platform on one machine: local cloud, short address, stand-in providers, demo data."""
