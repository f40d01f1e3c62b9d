"""What the hardening costs: boot, bus, exec, web filter and memory, measured inside the machine."""
