"""What authors of checks touch. Import it from `probe`: `from probe import check, expect, journey`."""
