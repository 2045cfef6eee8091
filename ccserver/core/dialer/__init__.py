"""Calls that we make: whether they may be made, how many at once, and what is kept of them."""
