"""The operator's pages: each module has its `routes()`."""
