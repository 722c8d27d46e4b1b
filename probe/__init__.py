"""probe: the customer who never sleeps."""

__version__ = "0.1.0"
