"""Figures of reading: lists, analytics, search and exports, at scale."""
