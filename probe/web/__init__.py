"""The daemon's doors: health pages on TCP, and the control socket that the commands use."""
