"""The flow of `perf`: which machines are booted in which order, what is asked of each, what is left out of some."""
