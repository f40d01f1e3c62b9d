"""Breaks every control in a live machine and shows that its check turns red: what is broken comes from `harden/`."""
