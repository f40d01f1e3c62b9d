"""What runs inside the machine as root, with Python's standard library alone: it looks, and never judges or changes.

Nothing here is imported by the host to run on the host, but in tests, which give it a folder of recorded
files as its root and recorded answers as its commands.
"""
