"""Worker processes: where the users' own code runs, and where browsers live. Never in our process."""
