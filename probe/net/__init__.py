"""One HTTP exchange on the wire, measured and explained.

Nothing here knows of checks or steps: a `Region` and a request go in, an `Exchange` or a `CheckFailed` with the truth
about what went wrong comes out.
"""
