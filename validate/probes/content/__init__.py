"""The probes themselves: each a function, with what there is to know about it in its decorator."""
