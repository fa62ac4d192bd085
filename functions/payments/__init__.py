"""Payments: one ledger for all channels. Providers report, facts are kept, balances are what the facts add up to."""
