"""What runs inside a machine: standard library only, and no other module of ours."""
