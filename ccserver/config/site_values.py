"""The site's values for the files of Asterisk, out of the settings."""

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.config.edges import EdgeSettings

_NO_RECORDINGS = "/var/spool/asterisk/ccserver"  # a folder that is never written to


def asterisk_values(edges: EdgeSettings) -> AsteriskValues:
    """What `asterisk_files.render` puts in; it checks the values once more against Asterisk's own syntax."""
    return AsteriskValues(
        ami_secret=edges.asterisk.ami_secret,
        agi_secret=edges.asterisk.agi_secret,
        ami_port=edges.asterisk.ami_port,
        agi_port=edges.asterisk.agi_port,
        agi_address=edges.asterisk.agi_host,
        outside_trunk=edges.asterisk.trunk_endpoint,
        emergency_numbers=edges.dialplan.emergency_numbers,
        internal_patterns=edges.dialplan.internal_patterns,
        outside_prefix=edges.dialplan.outside_prefix,
        fallback_after_s=edges.dialplan.fallback_after_s,
        fallback_prompt=edges.dialplan.fallback_prompt,
        unavailable_prompt=edges.dialplan.unavailable_prompt,
        ring_phone_s=edges.dialplan.ring_phone_s,
        qualify_s=edges.dialplan.qualify_s,
        rtp_timeout_s=edges.dialplan.rtp_timeout_s,
        rtp_timeout_hold_s=edges.dialplan.rtp_timeout_hold_s,
        session_expires_s=edges.dialplan.session_expires_s,
        recordings_directory=str(edges.recording.asterisk_dir) if edges.recording is not None else _NO_RECORDINGS,
    )
