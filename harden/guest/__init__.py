"""What the bundle runs inside a machine: standard library only, and no module of ours from outside this folder."""
