"""What others say of a machine: Lynis, systemd's exposure scores, the kernel's values; and our answers to it."""
