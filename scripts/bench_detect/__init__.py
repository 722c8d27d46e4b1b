"""How soon outages are told, and how often nothing is: our judgement beside the rules of other tools, on the same worlds."""
