"""Attacks on the product, and uses of it that have to work, tried inside the machine by stated identities."""
