"""What people look at, as documents: plain JSON-able data made of what is stored, of the rules, and of what the daemon says.

The pages, the API, the reports and the commands all show these; nothing else decides what is shown.
"""
