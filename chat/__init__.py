"""Chat writes: the turn and everything that stores."""
