"""The product under test: the built-in reference workload, or packages that the user brings."""
