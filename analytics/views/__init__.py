"""The doors of analytics: they parse, authorise and answer."""
