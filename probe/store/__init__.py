"""The memory of the daemon: runs, state, incidents, what is to be said and what was tried, in one SQLite file; and that
of a fleet, with the same tables, in one PostgreSQL.

`open_store` (probe/store/sqlite.py) gives the store, `open_reader` (probe/store/reader.py) looks into it from outside;
`MemoryStore` (probe/store/memory.py) does the same as the store without a disk. A fleet's evaluators write by `FleetWriting`
(probe/store/fleet.py); the numbers of its runs are in probe/store/numbers.py.
"""
