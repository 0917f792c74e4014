"""Judges recorded traffic by the schemas that the vendors publish: `python -m tests.conformance.schemas <directory>`.

`exchanges` reads the record; a `contract` knows which bodies go with a vendor's paths, methods and statuses, and each
vendor has a module that reads or writes one; `schema` checks a body; `judge` puts these together; `report` says what
came of it. The schemas are read from the vendors' own packages where those carry them; most of `posthog` and parts of
`resend` are in our own words, strictly, where none does. `allowances` lists what a vendor's description leaves out.
"""
