"""ccserver: an on-premises contact center on top of Asterisk."""
