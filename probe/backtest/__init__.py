"""Judgement over runs that are not made now: recorded ones, or those of a simulated world. Always by the very same fold."""
