"""The pure core: what a check is, what a run was, why it failed. No I/O, no clock, no asyncio, no logging."""
