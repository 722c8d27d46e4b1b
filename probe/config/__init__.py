"""TOML → a frozen `Config`, or every diagnostic at once. pydantic lives in this room only.

`settings` what comes out · `load` the way in · `lines` where each key stands · `secrets` `${env:…}` and `${file:…}` ·
`fields`, `schema` what may be written · `findings`, `validate` what is wrong, in words · `declare`, `http_check`,
`pytest_file` tables and decorators → core types.
"""
