"""A virtual machine and the way into it. Knows no distribution, no control and no verdict."""
