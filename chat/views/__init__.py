"""The REST doors: parse, authorise, call, and render."""
