"""What the hardening costs under a clock that can be trusted: records, judgement and history of `perf`."""
