"""Analytics reads: questions and answers about what was said and what was known. It writes nothing."""
