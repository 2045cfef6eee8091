"""Recordings after the call: one stereo file for each interaction, encoded, sealed, and kept by date.

Sound and ciphers only; which stretches there are, and how far each file is, is told by those who call (`daemon/archivist.py`).
"""
