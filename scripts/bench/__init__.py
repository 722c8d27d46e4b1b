"""`make bench`: what probe costs, beside its floors, measured in one run; writes docs/performance.md.

Each case is a process of its own, and the cases of a round follow each other, so that a machine whose speed drifts moves
them all. Figures are CPU seconds (they hardly depend on the neighbours); ratios are medians of the ratios of each round.
"""
