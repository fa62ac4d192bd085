"""The published contract, for machines and for people."""
