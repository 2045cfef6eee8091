"""What the tests against a real Asterisk share: an observer on AMI, a small FastAGI, a daemon's process, waiting."""
