"""A contact center without telephones: the same core, a virtual Asterisk, people made of chance, and virtual time.

    agenda       virtual time: what happens next
    wire         how late, doubled or lost the PBX's word reaches the core
    channels     what exists on the virtual PBX
    sessions     AGI sessions and their verbs
    pbx          the virtual Asterisk: phones, legs, bridges, actions, readings
    people       callers and agents
    world        one run: center, PBX and people on one agenda, with a digest of all that was said
    conformance  whether a recorded real run and a virtual one tell the same story

Everything is drawn from one seed; a run is the same whenever and wherever it is run again.
"""
