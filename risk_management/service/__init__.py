"""The HTTP service: strict at the edge, denied by default, the same engine behind it."""
