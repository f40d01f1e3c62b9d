"""The measuring itself, as it runs in the machine: raw values by key, no judgement, no summary."""
