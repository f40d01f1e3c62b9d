"""Signs the folder of a run as one statement over every file, and checks it again."""
