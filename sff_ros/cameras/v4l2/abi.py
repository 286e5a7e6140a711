"""The part of the kernel's V4L2 interface that this driver uses: structures and constants.

Written from the documentation of the interface (docs.kernel.org/userspace-api/media/v4l);
test_abi.py compares it with the headers linux/videodev2.h and linux/v4l2-controls.h. Constants and
fields have the kernel's names. What this driver does not use is padding, in fields that begin with
an underscore. The requests are in ioctl.py.

The interface is the same on every processor but for the size of a C long and of a pointer. On a
32-bit processor a `long` has 32 bits in struct timeval, too: 32-bit kernels accept that layout
beside the one with a 64-bit time, and CLOCK_MONOTONIC takes 68 years to overflow it.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_int32, c_long, c_ubyte, c_uint32, c_ulong, c_void_p

# What a device can do: QUERYCAP. STREAMING: it shares buffers; DEVICE_CAPS: `device_caps` is set.
V4L2_CAP_VIDEO_CAPTURE = 0x00000001
V4L2_CAP_VIDEO_CAPTURE_MPLANE = 0x00001000
V4L2_CAP_STREAMING = 0x04000000
V4L2_CAP_DEVICE_CAPS = 0x80000000
V4L2_CAP_TIMEPERFRAME = 0x1000  # of CaptureParameters: the frame rate can be set

V4L2_BUF_TYPE_VIDEO_CAPTURE = 1
V4L2_MEMORY_MMAP = 1
V4L2_FIELD_ANY = 0
V4L2_FIELD_NONE = 1  # not interlaced
V4L2_FRMSIZE_TYPE_DISCRETE = 1
V4L2_FRMIVAL_TYPE_DISCRETE = 1

# Flags of a buffer; two bit fields hold the clock and the source of its time stamp.
V4L2_BUF_FLAG_ERROR = 0x00000040  # the data may be damaged; streaming goes on
V4L2_BUF_FLAG_TIMESTAMP_MASK = 0x0000E000
V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC = 0x00002000
V4L2_BUF_FLAG_TSTAMP_SRC_MASK = 0x00070000
V4L2_BUF_FLAG_TSTAMP_SRC_SOE = 0x00010000  # start of exposure; 0: end of frame

# Controls. NEXT_CTRL, set in the id of QUERYCTRL, asks for the first control above that id.
V4L2_CTRL_FLAG_NEXT_CTRL = 0x80000000
V4L2_CTRL_FLAG_DISABLED = 0x0001
V4L2_CTRL_FLAG_READ_ONLY = 0x0004
V4L2_CTRL_TYPE_CTRL_CLASS = 6  # a heading, not a control
V4L2_CID_AUTO_WHITE_BALANCE = 0x0098090C  # 0 or 1
V4L2_CID_RED_BALANCE = 0x0098090E
V4L2_CID_BLUE_BALANCE = 0x0098090F
V4L2_CID_AUTOGAIN = 0x00980912  # 0 or 1
V4L2_CID_GAIN = 0x00980913
V4L2_CID_WHITE_BALANCE_TEMPERATURE = 0x0098091A  # K
V4L2_CID_EXPOSURE_AUTO = 0x009A0901  # a menu; one of its entries is EXPOSURE_MANUAL
V4L2_EXPOSURE_MANUAL = 1
V4L2_CID_EXPOSURE_ABSOLUTE = 0x009A0902  # units of 100 us
V4L2_CID_EXPOSURE_AUTO_PRIORITY = 0x009A0903  # 1: automatic exposure may lower the frame rate
V4L2_CID_FOCUS_AUTO = 0x009A090C  # 0 or 1


class Capability(ctypes.Structure):
    """struct v4l2_capability: name and abilities of a device. Texts end at their first 0."""

    _fields_ = (
        ('driver', c_char * 16),
        ('card', c_char * 32),
        ('bus_info', c_char * 32),
        ('_version', c_uint32),
        ('capabilities', c_uint32),  # V4L2_CAP_*, of all nodes of the device
        ('device_caps', c_uint32),  # V4L2_CAP_*, of this node; see V4L2_CAP_DEVICE_CAPS
        ('_reserved', c_uint32 * 3),
    )


class FormatDescription(ctypes.Structure):
    """struct v4l2_fmtdesc: one of the image formats of a device."""

    _fields_ = (
        ('index', c_uint32),  # 0, 1, 2 ...
        ('type', c_uint32),  # V4L2_BUF_TYPE_*
        ('_flags', c_uint32),
        ('description', c_char * 32),
        ('pixelformat', c_uint32),  # four characters, the first in the lowest byte
        ('_reserved', c_uint32 * 4),
    )


class PixelFormat(ctypes.Structure):
    """struct v4l2_pix_format: an image in memory."""

    _fields_ = (
        ('width', c_uint32),  # px
        ('height', c_uint32),  # px
        ('pixelformat', c_uint32),  # four characters, the first in the lowest byte
        ('field', c_uint32),  # V4L2_FIELD_*
        ('bytesperline', c_uint32),  # bytes from row to row; 0 from some drivers
        ('_sizeimage', c_uint32),
        ('_colours', c_uint32 * 6),
    )


class _FormatUnion(ctypes.Union):
    """The member `fmt` of struct v4l2_format."""

    _fields_ = (
        ('pix', PixelFormat),
        ('_raw_data', c_ubyte * 200),
        # Another member holds pointers: they align the union to 4 or to 8 bytes.
        ('_pointer', c_void_p),
    )


class Format(ctypes.Structure):
    """struct v4l2_format: a format to try or to set, then the one that is set."""

    _fields_ = (
        ('type', c_uint32),  # V4L2_BUF_TYPE_*
        ('fmt', _FormatUnion),
    )


class DiscreteFrameSize(ctypes.Structure):
    """struct v4l2_frmsize_discrete: one size, px."""

    _fields_ = (('width', c_uint32), ('height', c_uint32))


class StepwiseFrameSize(ctypes.Structure):
    """struct v4l2_frmsize_stepwise: a range of sizes, px."""

    _fields_ = (
        ('min_width', c_uint32),
        ('max_width', c_uint32),
        ('step_width', c_uint32),
        ('min_height', c_uint32),
        ('max_height', c_uint32),
        ('step_height', c_uint32),
    )


class _FrameSizeUnion(ctypes.Union):
    """The anonymous member of struct v4l2_frmsizeenum."""

    _fields_ = (('discrete', DiscreteFrameSize), ('stepwise', StepwiseFrameSize))


class FrameSize(ctypes.Structure):
    """struct v4l2_frmsizeenum: one of the sizes of a format, or their range."""

    _anonymous_ = ('_size',)
    _fields_ = (
        ('index', c_uint32),  # 0, 1, 2 ...
        ('pixel_format', c_uint32),
        ('type', c_uint32),  # V4L2_FRMSIZE_TYPE_*: which member of the union is used
        ('_size', _FrameSizeUnion),
        ('_reserved', c_uint32 * 2),
    )


class Fraction(ctypes.Structure):
    """struct v4l2_fract; of a frame interval: s."""

    _fields_ = (('numerator', c_uint32), ('denominator', c_uint32))


class StepwiseInterval(ctypes.Structure):
    """struct v4l2_frmival_stepwise: a range of frame intervals, s."""

    _fields_ = (('min', Fraction), ('max', Fraction), ('step', Fraction))


class _IntervalUnion(ctypes.Union):
    """The anonymous member of struct v4l2_frmivalenum."""

    _fields_ = (('discrete', Fraction), ('stepwise', StepwiseInterval))


class FrameInterval(ctypes.Structure):
    """struct v4l2_frmivalenum: one of the frame intervals at a size, or their range."""

    _anonymous_ = ('_interval',)
    _fields_ = (
        ('index', c_uint32),  # 0, 1, 2 ...
        ('pixel_format', c_uint32),
        ('width', c_uint32),  # px
        ('height', c_uint32),  # px
        ('type', c_uint32),  # V4L2_FRMIVAL_TYPE_*: which member of the union is used
        ('_interval', _IntervalUnion),
        ('_reserved', c_uint32 * 2),
    )


class CaptureParameters(ctypes.Structure):
    """struct v4l2_captureparm: the frame rate."""

    _fields_ = (
        ('capability', c_uint32),  # V4L2_CAP_TIMEPERFRAME
        ('_capturemode', c_uint32),
        ('timeperframe', Fraction),  # s
        ('_rest', c_uint32 * 6),
    )


class _ParameterUnion(ctypes.Union):
    """The member `parm` of struct v4l2_streamparm."""

    _fields_ = (('capture', CaptureParameters), ('_raw_data', c_ubyte * 200))


class StreamParameters(ctypes.Structure):
    """struct v4l2_streamparm: how a device streams."""

    _fields_ = (
        ('type', c_uint32),  # V4L2_BUF_TYPE_*
        ('parm', _ParameterUnion),
    )


class RequestBuffers(ctypes.Structure):
    """struct v4l2_requestbuffers: number of buffers in the queue of a driver."""

    _fields_ = (
        ('count', c_uint32),  # asked for, then granted; 0 frees them
        ('type', c_uint32),  # V4L2_BUF_TYPE_*
        ('memory', c_uint32),  # V4L2_MEMORY_*
        ('_reserved', c_uint32 * 2),
    )


class TimeValue(ctypes.Structure):
    """struct timeval: s and us."""

    _fields_ = (('tv_sec', c_long), ('tv_usec', c_long))


class _MemoryUnion(ctypes.Union):
    """The member `m` of struct v4l2_buffer: where its memory is."""

    _fields_ = (
        ('offset', c_uint32),  # for mmap on the device node
        ('_userptr', c_ulong),
    )


class Buffer(ctypes.Structure):
    """struct v4l2_buffer: one of the buffers that driver and program exchange."""

    _fields_ = (
        ('index', c_uint32),
        ('type', c_uint32),  # V4L2_BUF_TYPE_*
        ('bytesused', c_uint32),
        ('flags', c_uint32),  # V4L2_BUF_FLAG_*
        ('_field', c_uint32),
        ('timestamp', TimeValue),  # see V4L2_BUF_FLAG_TIMESTAMP_MASK
        ('_timecode', c_uint32 * 4),
        ('sequence', c_uint32),  # number of the frame; lost ones are counted
        ('memory', c_uint32),  # V4L2_MEMORY_*
        ('m', _MemoryUnion),
        ('length', c_uint32),  # bytes of memory
        ('_reserved', c_uint32 * 2),
    )


class ControlQuery(ctypes.Structure):
    """struct v4l2_queryctrl: a setting, its range and step in units of its own."""

    _fields_ = (
        ('id', c_uint32),  # V4L2_CID_*
        ('type', c_uint32),  # V4L2_CTRL_TYPE_*
        ('name', c_char * 32),
        ('minimum', c_int32),
        ('maximum', c_int32),
        ('step', c_int32),
        ('_default_value', c_int32),
        ('flags', c_uint32),  # V4L2_CTRL_FLAG_*
        ('_reserved', c_uint32 * 2),
    )


class ControlValue(ctypes.Structure):
    """struct v4l2_control: the value of a setting."""

    _fields_ = (('id', c_uint32), ('value', c_int32))
