"""Every error that this package raises deliberately."""


class SffError(Exception):
    """Base of all errors; the message is one line, naming the subject and what was expected."""


class ConfigError(SffError):
    """A parameter, option or file of settings is unknown, of the wrong type or out of range."""


class CameraError(SffError):
    """A camera cannot be opened or read, or does not support the request."""


class CameraLostError(CameraError):
    """A camera was disconnected, e.g. unplugged; it must be reopened."""


class CalibrationError(SffError):
    """Intrinsics or a lens calibration are missing, malformed or do not cover the request."""


class ModelError(SffError):
    """A depth backend or its weights cannot be loaded or run."""


class StackError(SffError):
    """A slice or a focal stack is malformed: shape, type, order or focus positions."""


class MiddlewareError(SffError):
    """ROS 2 does not start: wrong arguments, or security is on and something of it is missing."""
