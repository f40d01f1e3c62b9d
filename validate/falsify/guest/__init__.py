"""What runs in the machine that is sabotaged. Standard library only."""
