"""The floor that every other part stands on: errors, events, processes, strict files, deadlines.

Nothing here knows of images, machines, controls or reports, and it imports no other part of the project.
"""
