"""Conversations that were held elsewhere, stored as if they had been held here.

files reads them, timing gives them times, rows says what each of them comes to, loading stores it.
"""
