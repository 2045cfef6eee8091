"""Which files Asterisk takes as sounds."""

FORMATS = ("wav", "wav16", "sln", "sln16", "ulaw", "alaw", "g722", "gsm", "WAV", "mp3")
"""Endings that Asterisk can play; it picks among them by itself, so paths are given to it without."""
