"""Who may come in: the gate before every route, sessions, passwords, tokens, one-time links, an identity provider, and the record of who did what."""
