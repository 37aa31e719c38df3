"""Real processes, killed, frozen and cut off: what was acknowledged must survive it."""
