"""Targets, disks made from root file systems, the build cache, the reference workload."""
