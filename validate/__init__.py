"""Boots, deploys, audits, probes and measures real machines; `python -m validate` is the command line."""
