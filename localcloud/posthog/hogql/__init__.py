"""The part of HogQL that questions about an app's events need, answered by SQLite.

`compile_query` reads a SELECT and writes a statement: `tokens` cuts the text, `parser` and `terms` build the tree of
`tree`, `compiler` and `expressions` turn it into SQL, with `tables` for the columns and `functions` for the calls. No
text of a query ever becomes SQL: names are looked up, values are bound. What is not here is refused by name, with its
place.
"""

from __future__ import annotations

from localcloud.posthog.hogql.compiler import Compiled, compile_query
from localcloud.posthog.hogql.errors import HogQLError

__all__ = ["Compiled", "HogQLError", "compile_query"]
