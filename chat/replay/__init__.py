"""Real conversations played through a running server, and what it kept held against the file.

Shares no code with the server's own law, on purpose: two independent readings that agree are evidence.
"""
