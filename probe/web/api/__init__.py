"""The API: every document as JSON, and what operators do. The pages show and do nothing that is not here."""
