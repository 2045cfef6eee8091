"""YAML to typed settings and IVR flows: `load` for the daemon, `check` for people."""

from ccserver.config.build import Configuration, ConfigurationRejected, check, load, look_over
from ccserver.config.positions import Problem

__all__ = ["Configuration", "ConfigurationRejected", "Problem", "check", "load", "look_over"]
