"""Records on disk, comparison, statistics, rendering: everything after the collecting is done."""
