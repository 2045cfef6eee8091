"""The site's values for the files of Asterisk, out of the settings."""

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.config.edges import EdgeSettings
from ccserver.config.prompts import COMFORT
from ccserver.core.settings import FeatureCodes

_NO_RECORDINGS = "/var/spool/asterisk/ccserver"  # a folder that is never written to


def asterisk_values(edges: EdgeSettings, features: FeatureCodes) -> AsteriskValues:
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
        outside_without_daemon="yes" if edges.dialplan.outside_without_daemon else "no",
        echo_code=f"*{features.echo_test}",
        fallback_after_s=edges.dialplan.fallback_after_s,
        fallback_prompt=edges.dialplan.fallback_prompt,
        unavailable_prompt=edges.dialplan.unavailable_prompt,
        ring_phone_s=edges.dialplan.ring_phone_s,
        qualify_s=edges.dialplan.qualify_s,
        rtp_timeout_s=edges.dialplan.rtp_timeout_s,
        rtp_timeout_hold_s=edges.dialplan.rtp_timeout_hold_s,
        session_expires_s=edges.dialplan.session_expires_s,
        comfort_sound=str(edges.asterisk.prompts_dir / next(iter(edges.prompts[COMFORT])) / COMFORT),
        recordings_directory=str(edges.recording.asterisk_dir) if edges.recording is not None else _NO_RECORDINGS,
    )
