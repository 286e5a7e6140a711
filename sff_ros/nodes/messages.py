"""Arrays <-> messages; validates received messages.

If installed, cv_bridge converts the encodings of foreign drivers (Bayer, YUV) and sensor_msgs_py
reads clouds; a pip installation has neither, and this module does the same.
"""

from __future__ import annotations

import array
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, Image, JointState, PointCloud2, PointField
from std_msgs.msg import Header

from sff_ros.core.depth.cloud import POINT_STEP
from sff_ros.core.image import FloatMap, Warp
from sff_ros.core.image_encodings import FOREIGN, decode, raw
from sff_ros.core.optics.breathing import breathed_matrix, reference_of
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import Slice
from sff_ros.core.sweep.stamp import stamp_ns
from sff_ros.errors import StackError, quoted, shortened
from sff_ros.files.camera_info import from_message

# Every ROS machine has both, a pip installation neither.
try:
    import cv_bridge
except Exception:  # missing, or built for another NumPy, which may raise anything
    cv_bridge = None
try:
    from sensor_msgs_py import point_cloud2
except ImportError:
    point_cloud2 = None

_JOINTS = ('focus', 'slice', 'slices', 'sweep')
_OPTIONAL = ('field', 'residual')  # fields of LensState, _dpt; only if known


def to_array(message: Image) -> npt.NDArray[Any]:
    """Return the image of a message: (H, W) or (H, W, 3) RGB.

    Plain encodings cost no copy unless the channels are in another order; the array is then a
    view of the message.

    Raises:
        StackError: encoding, step, size or byte order are invalid; says which.
    """
    if cv_bridge is not None and message.encoding in FOREIGN:
        raw(message)  # first: cv_bridge reads past the end if the step is wrong
        wide = 'rgb16' if message.encoding.endswith('16') else 'rgb8'
        try:
            return np.asarray(cv_bridge.CvBridge().imgmsg_to_cv2(message, wide))
        except Exception:  # an encoding newer than this cv_bridge
            pass
    return decode(message)


def to_image(image: npt.NDArray[Any], encoding: str, header: Header) -> Image:
    """Return an image as a message; encoding is one of PLAIN and fits the array's type."""
    height, width = image.shape[:2]
    message = Image(header=header, height=height, width=width, encoding=encoding)
    message.is_bigendian = int(sys.byteorder == 'big')
    message.step = width * image.itemsize * (image.shape[2] if image.ndim == 3 else 1)
    message.data = to_bytes(image)
    return message


def to_bytes(values: npt.NDArray[Any]) -> array.array[int]:
    """Return an array's bytes as the one type that rclpy accepts without checking each byte."""
    data = array.array('B')
    data.frombytes(np.ascontiguousarray(values).data.cast('B'))
    return data


def slice_encoding(image: npt.NDArray[Any]) -> str:
    """Return the encoding of a slice on the wire."""
    deep = image.dtype == np.uint16
    if image.ndim == 3:
        return 'rgb16' if deep else 'rgb8'
    return 'mono16' if deep else 'mono8'


def to_camera_info(intrinsics: Intrinsics, header: Header, warp: Warp | None = None) -> CameraInfo:
    """Return intrinsics as a message; K is zero if the camera is not calibrated.

    Args:
        intrinsics: at the reference focus.
        header: of the image.
        warp: (3, 3) from px of the reference focus to px of the image. K is that of the
            image, P that of the reference: the frame of rectified images. Not representable
            if the camera is not calibrated.

    Raises:
        CalibrationError: K cannot represent the warp.
    """
    info = CameraInfo(header=header, height=intrinsics.height, width=intrinsics.width)
    info.distortion_model = intrinsics.distortion_model
    info.d = list(intrinsics.distortion or (0.0,) * 5)
    info.r = np.eye(3).ravel().tolist()
    if intrinsics.is_calibrated:
        info.k = breathed_matrix(intrinsics, warp).ravel().tolist()
        info.p = np.hstack((intrinsics.matrix, np.zeros((3, 1)))).ravel().tolist()
    return info


def to_breathing(info: CameraInfo) -> tuple[Intrinsics, Warp | None]:
    """Return the camera at the reference focus (P), and the warp from there to the image (K).

    Raises:
        CalibrationError: size, matrices or distortion are invalid.
    """
    return reference_of(to_intrinsics(info), np.array(info.p, float).reshape(3, 4))


def to_intrinsics(info: CameraInfo) -> Intrinsics:
    """Return the intrinsics of a message; K[0] == 0 means not calibrated.

    Raises:
        CalibrationError: size, matrix or distortion are invalid.
    """
    return from_message(info)


def to_focus(slice_: Slice, header: Header) -> JointState:
    """Return focus and index of a slice: the lens as a joint."""
    names = list(_JOINTS)
    values = [slice_.focus_dpt, slice_.index, slice_.count, slice_.sweep]
    for name in _OPTIONAL:
        value = getattr(slice_.lens, f'{name}_dpt')
        if value:
            names.append(name)
            values.append(value)
    return JointState(header=header, name=names, position=[float(v) for v in values])


def to_slice(image: Image, focus: JointState, warp: Warp | None = None) -> Slice:
    """Combine an image, its focus and index, and its breathing into a slice.

    Raises:
        StackError: a message is malformed; says how.
    """
    focus_dpt, index, count, sweep = to_place(focus)
    known = zip(focus.name[len(_JOINTS) :], focus.position[len(_JOINTS) :], strict=True)
    lens = LensState(focus_dpt, warp=warp, **{f'{name}_dpt': value for name, value in known})
    stamp = stamp_ns(image.header.stamp)
    return Slice(to_array(image), lens, stamp, index, count, sweep)


def to_place(focus: JointState) -> tuple[float, int, int, int]:
    """Return focus_dpt, index, count and sweep of a slice.

    Raises:
        StackError: names or numbers are malformed; says how.
    """
    names = tuple(focus.name)
    extra = tuple(name for name in _OPTIONAL if name in names)
    if names != (*_JOINTS, *extra) or len(focus.position) != len(names):
        raise StackError(
            f'stack/focus must name {", ".join(_JOINTS)}, not {quoted(list(focus.name))}'
        )
    for name, value in zip(extra, focus.position[len(_JOINTS) :], strict=True):
        if not np.isfinite(value):
            raise StackError(f'{name} in stack/focus must be finite dioptres, not {value}')
    focus_dpt, *numbers = focus.position[: len(_JOINTS)]
    if not all(np.isfinite(numbers)) or any(v != int(v) for v in numbers):
        raise StackError(f'slice, slices and sweep must be whole numbers, not {numbers}')
    index, count, sweep = map(int, numbers)
    return focus_dpt, index, count, sweep


def to_cloud(points: npt.NDArray[np.float32], header: Header) -> PointCloud2:
    """Return (H, W, 8) words of core.depth.cloud.CloudBuilder as an organised cloud."""
    height, width = points.shape[:2]
    kind = PointField.FLOAT32
    offsets = {'x': 0, 'y': 4, 'z': 8, 'rgb': 16}
    cloud = PointCloud2(header=header, height=height, width=width, is_dense=False)
    cloud.fields = [
        PointField(name=n, offset=o, datatype=kind, count=1) for n, o in offsets.items()
    ]
    cloud.is_bigendian = sys.byteorder == 'big'
    cloud.point_step = POINT_STEP
    cloud.row_step = POINT_STEP * width
    cloud.data = to_bytes(points)
    return cloud


def from_cloud(cloud: PointCloud2) -> tuple[FloatMap, npt.NDArray[np.uint8]]:
    """Return the points (H, W, 3) m and colours (H, W, 3) RGB of an organised cloud.

    Raises:
        StackError: a field is missing or no float, or the size does not match the data.
    """
    floats = [field for field in cloud.fields if field.datatype == PointField.FLOAT32]
    offsets = {field.name: field.offset for field in floats}
    found = [offsets.get(name, cloud.point_step) for name in ('x', 'y', 'z', 'rgb')]
    fits = max(found) + 4 <= cloud.point_step and (
        0 < cloud.width * cloud.point_step <= cloud.row_step
    )
    if not fits or len(cloud.data) != cloud.row_step * cloud.height or cloud.height < 2:
        raise StackError(
            f'not an organised cloud of x, y, z, rgb: fields {shortened(", ".join(offsets))}, '
            f'{cloud.width}x{cloud.height}, {len(cloud.data)} bytes'
        )
    points = _fields(cloud, offsets)
    xyz = np.stack([points[name] for name in 'xyz'], axis=-1)
    packed = np.ascontiguousarray(points['rgb']).view(np.uint8)
    bgr = packed.reshape(cloud.height, cloud.width, 4)[..., :3]
    return xyz.astype(np.float32, copy=False), bgr[..., ::-1]


def _fields(cloud: PointCloud2, offsets: dict[str, int]) -> Any:
    """Return x, y, z and rgb as an (H, W) structured array."""
    names = ['x', 'y', 'z', 'rgb']
    if point_cloud2 is not None:
        # Its reshape_organized_cloud would return (W, H).
        return point_cloud2.read_points(cloud, names).reshape(cloud.height, cloud.width)
    layout: Any = {
        'names': names,
        'formats': [('>' if cloud.is_bigendian else '<') + 'f4'] * 4,
        'offsets': [offsets[name] for name in names],
        'itemsize': cloud.point_step,
    }
    flat = np.frombuffer(cloud.data, np.uint8).reshape(cloud.height, cloud.row_step)
    used = np.ascontiguousarray(flat[:, : cloud.width * cloud.point_step])
    return used.view(np.dtype(layout)).reshape(cloud.height, cloud.width)


def header_of(stamp: Time, frame_id: str) -> Header:
    """Return a header."""
    return Header(stamp=stamp, frame_id=frame_id)
