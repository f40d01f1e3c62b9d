"""What runs inside the machine: stdlib-only modules that are sent over, never installed."""
