"""Starts rclpy: all nodes and tools of this package do it here."""

from __future__ import annotations

import functools
import os

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from sff_ros.errors import MiddlewareError, quoted, shortened
from sff_ros.middleware import shared_memory
from sff_ros.middleware.transport import profile_variable, use_udp_alone


def start_ros(args: list[str] | None = None, context: Context | None = None) -> None:
    """Initialise rclpy; its signal handlers are not installed.

    Args:
        args: of the command line; None: those of the process.
        context: None: the default one.

    Raises:
        MiddlewareError: wrong arguments or parameter files, or security is on and not possible.
    """
    shared_memory.remove_leftovers()
    warning = _choose_transport()
    try:
        if context is None:
            rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        else:
            context.init(args=args, initialize_logging=False)
    except RuntimeError as err:
        raise MiddlewareError(f'{_said(err)}{_about_security()}') from err
    if warning:
        rclpy.logging.get_logger('sff_ros').warning(warning, once=True)
    if _is_secured():
        _try_security(context)


@functools.cache  # Fast DDS reads its profile once
def _choose_transport() -> str:
    """Use UDP alone where shared memory is short or not wanted; return what to warn of."""
    if os.environ.get('SFF_SHM') == '0':
        use_udp_alone()
        return ''
    free = shared_memory.free_bytes() if shared_memory.FOLDER.is_dir() else 0
    if free >= shared_memory.ENOUGH_BYTES:
        return ''
    fact = f'only {free / 1e6:.1f} MB are free in {shared_memory.FOLDER}'
    remedy = 'make room, or give the container more (docker run --shm-size 512m)'
    if use_udp_alone():
        return f'{fact}: this process uses UDP alone, which is slower; {remedy}'
    return f'{fact}, and {profile_variable()} names a profile that may need more; {remedy}'


def _is_secured() -> bool:
    return os.environ.get('ROS_SECURITY_ENABLE', '') == 'true'


def _about_security() -> str:
    """Return what to do if SROS2 is what fails."""
    if not _is_secured():
        return ''
    keystore = os.environ.get('ROS_SECURITY_KEYSTORE', '')
    return (
        f'; SROS2 is on: ROS_SECURITY_KEYSTORE is {quoted(keystore)} and must be a keystore with '
        'an enclave for each node (ros2 security create_enclave); without SROS2: set '
        'ROS_SECURITY_ENABLE=false'
    )


def _try_security(context: Context | None) -> None:
    """Create a node and destroy it: keys and plugins are looked for no sooner.

    Raises:
        MiddlewareError: something is missing; the context is shut down.
    """
    try:
        Node(
            'sff_ros_security',
            context=context,
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
        ).destroy_node()
    except RuntimeError as err:
        rclpy.shutdown(context=context)
        raise MiddlewareError(f'{_said(err)}{_about_security()}') from err


def _said(err: Exception) -> str:
    return shortened(f'{type(err).__name__}: {err}')
