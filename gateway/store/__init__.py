"""Keeping: files under keys of our own, and an index whose commits survive a power cut."""
