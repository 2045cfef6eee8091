"""Functions in Python that administrators write: with a call on the line, or for look-ups.

`from ccserver.scripts import Result` is all that such a function ever needs of us; `Call` and `Rehearsal` are for its type hints and tests.
"""

from ccserver.scripts.call import Call, Result
from ccserver.scripts.rehearsal import Rehearsal

__all__ = ["Call", "Rehearsal", "Result"]
