"""The probers: one file for each way of executing a check."""
