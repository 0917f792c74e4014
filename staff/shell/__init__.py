"""The console in a shell: one module for what is looked at, one for what is ordered, one for accounts and tokens.

Whoever runs it has the database's own key, and so every power; what they do is written down like everybody's.
"""

from __future__ import annotations

# Exit statuses. argparse itself ends with 2 where the command line is wrong.
DONE, REFUSED, NOT_ENDED = 0, 1, 3
