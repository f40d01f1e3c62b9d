"""Judging: a pure function of checks and facts. It knows no SSH, no clock and no file system."""
