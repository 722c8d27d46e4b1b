"""`python -m probe.worker`: started by the supervisor, never by hand."""

from probe.worker.serve import main

main()
