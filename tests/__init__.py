"""The tests, by the module they speak of."""
