"""The rules of the contact center, and nothing else.

Pure: no input or output, no clock, no chance, no log. `CallCenter` (in `center`) is told what happened and when, and
answers what to do; the daemon, the simulator, the replayer and the property tests are four drivers of the same object.
"""
