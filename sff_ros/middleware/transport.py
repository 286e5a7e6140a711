"""How messages travel between processes: by shared memory and UDP, or by UDP alone."""

from __future__ import annotations

import os
from pathlib import Path

# Our profiles, in config/. The second is for one host only.
PROFILE, LOCAL_PROFILE = 'fastdds.xml', 'fastdds_localhost.xml'
_HERE = Path(__file__).parent
_RANGE = 'ROS_AUTOMATIC_DISCOVERY_RANGE'


def profile_variable() -> str:
    """Return the environment variable that names a profile to this Fast DDS."""
    # Fast DDS 2 (Humble, Jazzy) only supports the first name; Fast DDS 3 warns about it.
    old = os.environ.get('ROS_DISTRO', '') in ('humble', 'iron', 'jazzy')
    return 'FASTRTPS_DEFAULT_PROFILES_FILE' if old else 'FASTDDS_DEFAULT_PROFILES_FILE'


def profile_name() -> str:
    """Return which of our profiles fits the discovery range."""
    return LOCAL_PROFILE if is_local() else PROFILE


def is_local() -> bool:
    """Return whether the discovery range admits no other host."""
    on_host = os.environ.get(_RANGE, '') in ('LOCALHOST', 'OFF')
    return on_host and not os.environ.get('ROS_STATIC_PEERS')


def use_udp_alone() -> bool:
    """Make Fast DDS do without shared memory; only before the first node of a process.

    Returns:
        False if the environment names a profile that is not ours, which stays in force.
    """
    variable = profile_variable()
    if Path(os.environ.get(variable, '')).name not in ('', PROFILE, LOCAL_PROFILE):
        return False
    os.environ[variable] = str(_HERE / ('udp_localhost.xml' if is_local() else 'udp.xml'))
    if is_local() and os.environ[_RANGE] == 'LOCALHOST':
        # In LOCALHOST the ROS layer adds shared memory to whatever a profile has.
        os.environ[_RANGE] = 'SYSTEM_DEFAULT'
    return True
