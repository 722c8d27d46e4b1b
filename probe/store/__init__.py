"""The memory of the daemon: runs, state, incidents, what is to be said and what was tried, in one SQLite file.

`open_store` (probe/store/sqlite.py) gives the store, `open_reader` (probe/store/reader.py) looks into it from outside;
`MemoryStore` (probe/store/memory.py) does the same as the store without a disk.
"""
