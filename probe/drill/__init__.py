"""Faults planted into runs: which there are, where they are planted, and what a check makes of them. Pure."""
