"""Choreography: what runs when, how many at a time, and what is made of it. Knows only ports and core."""
