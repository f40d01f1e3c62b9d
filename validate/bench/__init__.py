"""What `bench` times: one file for each kind of figure."""
