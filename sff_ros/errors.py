"""Every error this package raises on purpose."""


class SffError(Exception):
    """Base of all errors with a one-line message that names the thing and what was expected."""


class ConfigError(SffError):
    """A parameter, option or file of settings is unknown, of the wrong type or out of range."""


class CameraError(SffError):
    """A camera cannot be opened, read or asked for what was asked."""


class CameraLostError(CameraError):
    """A camera is gone, as when its cable is pulled; it must be opened anew."""


class CalibrationError(SffError):
    """Intrinsics or a lens calibration are missing, malformed or do not cover the request."""


class ModelError(SffError):
    """A depth backend or its weights cannot be loaded or run."""


class StackError(SffError):
    """A slice or a focal stack is malformed: shape, type, order or focus positions."""
