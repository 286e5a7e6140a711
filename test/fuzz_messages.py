"""Messages made at random: each is one that the wire can carry, and few are well formed."""

from __future__ import annotations

import array
import math
from typing import Any

import numpy as np
from fuzzing import FLOATS, WORDS, st
from sensor_msgs.msg import (
    CameraInfo,
    CompressedImage,
    Image,
    JointState,
    PointCloud2,
    PointField,
    RegionOfInterest,
)

from sff_ros.core.image_encodings import FOREIGN, PLAIN, PLANAR

MOST_BYTES = 200_000  # of the data of a message
SIDES = (0, 1, 2, 15, 16, 17, 47, 63, 65, 2**16, 2**32 - 1)
ENCODINGS = (*PLAIN, *FOREIGN, *PLANAR, *WORDS, '64FC1', '32FC3', 'jpeg')
PATTERNS = (
    *(b'\x00', b'\xff', b'\x7f', b'\x01\x02\x03\x05\x08\x0d\x15', b'\x00\x00\xc0\x7f'),
    *(b'\x00\x00\x80\x7f', b'\x00\x00\x80\xff', b'\xff\xff\x7f\x7f', b'\x00\x00\x80\x3f'),
)
NAMES = ('focus', 'slice', 'slices', 'sweep', 'field', 'residual')
MODELS = ('plumb_bob', 'rational_polynomial', 'equidistant', 'none', '', 'fisheye', 'x' * 999)

sides: Any = st.sampled_from(SIDES)
worst = (math.nan, math.inf, -math.inf, -1.0, 1e300)
floats: Any = st.one_of(st.sampled_from(FLOATS), st.sampled_from(worst), st.floats(width=64))


def filled(length: int, pattern: bytes) -> array.array[int]:
    """Return so many bytes of a repeated pattern, or as many as a message may have."""
    length = min(max(length, 0), MOST_BYTES)
    return array.array('B', (pattern * (length // len(pattern) + 1))[:length])


def _image(draw: Any, encoding: str = '') -> Image:
    """An image of 64x48 in the given encoding or in any, but for a few fields."""
    odd = some(draw, 'height', 'width', 'step', 'rows', 'length', 'order')
    encodings = st.one_of(*map(st.sampled_from, (ENCODINGS, ('32FC1', 'rgb8', 'mono8', 'mono16'))))
    image = Image(height=48, width=64, encoding=encoding or draw(encodings))
    image.is_bigendian = draw(st.integers(0, 255)) if 'order' in odd else 0
    for name in odd & {'height', 'width'}:
        setattr(image, name, draw(sides))
    layout = PLAIN.get(image.encoding) or FOREIGN.get(image.encoding) or (np.uint8, 1)
    row = image.width * layout[1] * np.dtype(layout[0]).itemsize
    image.step = min(row, 2**32 - 1)
    if 'step' in odd:
        image.step = draw(st.sampled_from((0, max(image.step - 1, 0), image.step // 2, 2**32 - 1)))
    if 'rows' in odd and image.step < 2**31:
        image.step += draw(st.sampled_from((1, 2, 8)))
    more, per, _ = PLANAR.get(image.encoding, (0, 1, None))
    length = image.step * (image.height + image.height * more // per)
    if 'length' in odd:
        length = draw(st.sampled_from((0, length - 1, length + 1)))
    image.data = filled(length, draw(st.sampled_from(PATTERNS)))
    return image


def some(draw: Any, *fields: str) -> set[str]:
    """Return which of the fields are not what they should be: few, so that the rest matters."""
    chosen: set[str] = draw(st.sets(st.sampled_from(fields), min_size=1, max_size=2))
    return chosen


def _info(draw: Any) -> CameraInfo:
    """A camera_info of 64x48, but for a few fields."""
    f, x, y = 80.0, 31.5, 23.5
    odd = some(draw, 'width', 'height', 'model', 'd', 'k', 'p', 'r', 'scale', 'binning', 'roi')
    info = CameraInfo(width=64, height=48, distortion_model='plumb_bob')
    scale = draw(floats) if 'scale' in odd else 1.0
    info.k = [scale * f, 0.0, x, 0.0, scale * f, y, 0.0, 0.0, 1.0]
    info.p = [f, 0.0, x, 0.0, 0.0, f, y, 0.0, 0.0, 0.0, 1.0, 0.0]
    for name in odd & {'width', 'height'}:
        setattr(info, name, draw(sides))
    if 'model' in odd:
        info.distortion_model = draw(st.sampled_from(MODELS))
    if 'd' in odd:
        info.d = draw(
            st.one_of(*(st.lists(floats, min_size=n, max_size=n) for n in (4, 5, 8, 14)))
        )
    for name in odd & {'k', 'p', 'r'}:
        matrix = getattr(info, name)
        matrix[draw(st.integers(0, len(matrix) - 1))] = draw(floats)
    if 'binning' in odd:
        info.binning_x, info.binning_y = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    if 'roi' in odd:
        info.roi = RegionOfInterest(width=draw(sides), height=draw(sides), x_offset=draw(sides))
    return info


def _joint(draw: Any) -> JointState:
    """The state of a lens in a sweep of five slices, but for a few fields."""
    odd = some(draw, 'names', 'length', *NAMES)
    name = list(NAMES[: draw(st.sampled_from((4, 4, 5, 6)))])
    index = draw(st.integers(0, 4))
    usual = {
        'focus': 1 + 0.5 * index,
        'slice': index,
        'slices': 5,
        'sweep': draw(st.integers(0, 9)),
    }
    position = [draw(floats) if n in odd else float(usual.get(n, 0.1)) for n in name]
    if 'names' in odd:
        name = draw(st.lists(st.sampled_from((*NAMES, *WORDS)), max_size=9))
    if 'length' in odd:
        position = draw(st.lists(floats, max_size=9))
    return JointState(name=name, position=position)


def _cloud(draw: Any) -> PointCloud2:
    """An organised cloud of 8x6 points, but for a few fields."""
    odd = some(draw, 'height', 'width', 'offset', 'datatype', 'fields', 'point', 'row', 'length')
    cloud = PointCloud2(height=6, width=8, point_step=32, is_bigendian=draw(st.booleans()))
    for name in odd & {'height', 'width'}:
        setattr(cloud, name, draw(sides))
    offsets = [0, 4, 8, 16]
    if 'offset' in odd:
        offsets[draw(st.integers(0, 3))] = draw(st.sampled_from((0, 1, 28, 29, 31, 2**32 - 1)))
    kinds = [PointField.FLOAT32] * 4
    if 'datatype' in odd:
        kinds[draw(st.integers(0, 3))] = draw(st.integers(0, 9))
    cloud.fields = [
        PointField(name=name, offset=offset, datatype=kind, count=1)
        for name, offset, kind in zip(('x', 'y', 'z', 'rgb'), offsets, kinds, strict=True)
    ]
    if 'fields' in odd:
        cloud.fields = cloud.fields[: draw(st.integers(0, 3))]
    if 'point' in odd:
        cloud.point_step = draw(st.sampled_from((0, 1, 16, 20, 33, 2**32 - 1)))
    row = cloud.point_step * cloud.width + (draw(st.integers(-9, 9)) if 'row' in odd else 0)
    cloud.row_step = min(max(row, 0), 2**32 - 1)
    length = cloud.row_step * cloud.height
    if 'length' in odd:
        length = draw(st.sampled_from((0, length - 1, length + 1)))
    cloud.data = filled(length, draw(st.sampled_from(PATTERNS)))
    return cloud


def _compressed(draw: Any) -> CompressedImage:
    """A compressed image of random bytes."""
    data = array.array('B', draw(st.binary(max_size=200)))
    return CompressedImage(format=draw(st.sampled_from(WORDS)), data=data)


images: Any = st.composite(_image)
infos: Any = st.composite(_info)
joints: Any = st.composite(_joint)
clouds: Any = st.composite(_cloud)
compressed: Any = st.composite(_compressed)
