"""Checkout: a basket becomes an order in one transaction, and an order ends in exactly one way."""
