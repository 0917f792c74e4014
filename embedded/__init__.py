"""Programs that arrive as Python wheels, so that one machine needs nothing installed: PostgreSQL and Node.

Used by the product and by localcloud alike; imports nothing of either.
"""

from __future__ import annotations
