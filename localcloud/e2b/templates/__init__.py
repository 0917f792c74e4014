"""Templates and snapshots: what sandboxes can be made from beside the starter project.

`catalogue` remembers them, `pool` keeps their files, `builder` makes one by the steps of a build, `builds` runs the
builds, `uploads` takes the files that steps copy, `routes` is their part of the control plane.
"""

from __future__ import annotations
