"""Asterisk sends the events that are read, and no others."""

import re

from ccserver.ami.translate import READERS
from ccserver.config.asterisk_files import source_directory

ACCOUNT = (source_directory() / "asterisk-config/ccserver-manager.conf").read_text(encoding="utf-8")


def test_the_account_is_sent_each_event_that_is_read() -> None:
    included = re.findall(r"^eventfilter\(action\(include\),name\((\w+)\)\) =$", ACCOUNT, re.MULTILINE)
    assert sorted(included) == sorted(READERS)


def test_only_the_echo_of_lamps_is_kept_out_of_those() -> None:
    excluded = [line for line in ACCOUNT.splitlines() if line.startswith("eventfilter(action(exclude)")]
    assert excluded == ["eventfilter(action(exclude),name(DeviceStateChange),header(Device),method(starts_with)) = Custom:cc-"]
