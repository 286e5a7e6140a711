"""Images, cameras and slices on the wire."""

from __future__ import annotations

import array
import math
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sensor_msgs.msg import Image, JointState, RegionOfInterest
from std_msgs.msg import Header

from sff_ros.core.image_encodings import FOREIGN, PLAIN
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import Slice
from sff_ros.core.sweep.stamp import stamp_ns
from sff_ros.errors import CalibrationError, StackError
from sff_ros.nodes import messages
from sff_ros.nodes.exact_sync import stamp_of
from sff_ros.nodes.messages import (
    header_of,
    to_array,
    to_bytes,
    to_camera_info,
    to_focus,
    to_image,
    to_intrinsics,
    to_slice,
)

Array = npt.NDArray[Any]
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def random(dtype: Any, channels: int, seed: int = 0) -> Array:
    values = np.random.default_rng(seed).integers(0, 250, (20, 30, channels)).astype(dtype)
    return values[..., 0] if channels == 1 else values


def message_of(pixels: Array, encoding: str) -> Image:
    """A message of pixels that are already in its encoding."""
    height, width = pixels.shape[:2]
    step = pixels.nbytes // height
    image = Image(height=height, width=width, encoding=encoding, step=step)
    image.data = to_bytes(pixels)
    return image


@pytest.mark.parametrize('encoding', PLAIN)
def test_round_trip(encoding: str) -> None:
    dtype, channels = PLAIN[encoding]
    sent = random(dtype, channels)
    message = to_image(sent, encoding, Header(frame_id='x'))
    assert message.step == sent.strides[0]
    assert (message.height, message.width, message.header.frame_id) == (20, 30, 'x')
    got = to_array(message)
    expected = sent
    if channels > 1:
        expected = sent[..., :3] if encoding.startswith('rgb') else sent[..., 2::-1]
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8', 'mono8', 'mono16', '32FC1', 'bayer_rggb8'])
def test_rows_may_be_padded(encoding: str) -> None:
    dtype, channels = PLAIN.get(encoding) or FOREIGN[encoding][:2]
    tight = to_image(random(dtype, channels), encoding, Header())
    rows = np.frombuffer(tight.data, np.uint8).reshape(tight.height, tight.step)
    padded = Image(height=20, width=30, encoding=encoding, step=tight.step + 8)
    padded.data = to_bytes(np.pad(rows, ((0, 0), (0, 8)), constant_values=77))
    np.testing.assert_array_equal(to_array(padded), to_array(tight))


@pytest.mark.parametrize('encoding', ['mono16', 'rgb16', '32FC1', 'bayer_grbg16'])
def test_bytes_in_the_other_order(encoding: str) -> None:
    dtype, channels = PLAIN.get(encoding) or FOREIGN[encoding][:2]
    ours = to_image(random(dtype, channels), encoding, Header())
    swapped = to_image(random(dtype, channels), encoding, Header())
    swapped.data = to_bytes(np.frombuffer(ours.data, np.dtype(dtype)).byteswap())
    swapped.is_bigendian = int(sys.byteorder == 'little')
    np.testing.assert_array_equal(to_array(swapped), to_array(ours))


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'encoding': 'jpeg'}, "encoding 'jpeg' is not supported; one of mono8, "),
        ({'encoding': ''}, "encoding '' is not supported"),
        ({'step': 89}, 'step 89 does not fit a 30x20 rgb8 image (at least 90)'),
        ({'step': 91}, '1800 bytes are not step 91 x height 20 = 1820'),
        ({'height': 0}, 'step 90 does not fit a 30x0 rgb8 image'),
        ({'width': 0}, 'does not fit a 0x20 rgb8 image'),
        ({'encoding': 'mono16', 'step': 91}, 'step 91 does not fit a 30x20 mono16 image'),
        ({'data': array.array('B', bytes(1799))}, '1799 bytes are not step 90 x height 20'),
        ({'data': array.array('B')}, '0 bytes are not step 90 x height 20 = 1800'),
        ({'encoding': 'yuyv', 'width': 29}, 'a 29x20 yuyv image of even width (at least 58)'),
        ({'encoding': 'bayer_rggb8', 'step': 29}, 'step 29 does not fit a 30x20 bayer_rggb8'),
    ],
)
def test_a_malformed_picture_is_refused(change: dict[str, Any], words: str) -> None:
    message = to_image(random(np.uint8, 3), 'rgb8', Header())
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(StackError) as caught:
        to_array(message)
    assert words in str(caught.value)
    assert '\n' not in str(caught.value)


def mosaic(colour: tuple[int, int, int], encoding: str) -> Array:
    """An image of one colour as a sensor with that colour filter sees it."""
    letters = encoding.removeprefix('bayer_')[:4]
    gain = 257 if encoding.endswith('16') else 1
    cell = [gain * colour['rgb'.index(letter)] for letter in letters]
    pixels = np.tile(np.array(cell).reshape(2, 2), (12, 16))
    return pixels.astype(np.uint16 if gain > 1 else np.uint8)


@pytest.mark.parametrize('colour', [RED, GREEN, BLUE])
@pytest.mark.parametrize('encoding', [name for name in FOREIGN if name.startswith('bayer')])
def test_bayer_colours_end_in_the_right_channel(
    encoding: str, colour: tuple[int, int, int]
) -> None:
    pixels = mosaic(colour, encoding)
    image = to_array(message_of(pixels, encoding))
    assert image.dtype == pixels.dtype
    inner = image[4:-4, 4:-4].reshape(-1, 3) / (257 if pixels.itemsize == 2 else 1)
    np.testing.assert_array_equal(inner, np.broadcast_to(colour, inner.shape))


# Y, U, V of ITU-R BT.601, limited range.
YUV = {RED: (81, 90, 240), GREEN: (145, 54, 34), BLUE: (41, 240, 110), (255,) * 3: (235, 128, 128)}


@pytest.mark.parametrize('colour', YUV)
@pytest.mark.parametrize(
    ('encoding', 'order'),
    [('yuv422', 'UYVY'), ('uyvy', 'UYVY'), ('yuv422_yuy2', 'YUYV'), ('yuyv', 'YUYV')],
)
def test_yuv_colours(encoding: str, order: str, colour: tuple[int, int, int]) -> None:
    row = [YUV[colour]['YUV'.index(letter)] for letter in order] * 8
    pixels = np.tile(np.array(row, np.uint8).reshape(1, 16, 2), (20, 1, 1))
    image = to_array(message_of(pixels, encoding))
    assert image.shape == (20, 16, 3)
    assert np.abs(image.astype(int) - colour).max() <= 3


@pytest.mark.parametrize('encoding', FOREIGN)
def test_cv_bridge_gives_the_same(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('cv_bridge', reason='cv_bridge is not installed')
    dtype, channels, _ = FOREIGN[encoding]
    message = message_of(random(dtype, channels), encoding)
    with_bridge = to_array(message)
    monkeypatch.setattr(messages, 'cv_bridge', None)
    np.testing.assert_array_equal(with_bridge, to_array(message))


class OldBridge:
    """A cv_bridge that knows no encoding."""

    class CvBridge:
        def imgmsg_to_cv2(self, message: Image, encoding: str) -> Array:
            raise RuntimeError(f'Unrecognized image encoding [{message.encoding}]')


def test_a_cv_bridge_that_does_not_know_an_encoding_does_no_harm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message = message_of(mosaic(RED, 'bayer_gbrg8'), 'bayer_gbrg8')
    monkeypatch.setattr(messages, 'cv_bridge', OldBridge)
    assert to_array(message)[8, 8].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    'intrinsics',
    [
        Intrinsics(640, 480, 500.5, 501.5, 320.25, 239.75),
        Intrinsics(640, 480, 500.0, 500.0, 319.5, 239.5, (0.1, -0.2, 0.01, 0.02, 0.3)),
        Intrinsics(64, 48, 50.0, 50.0, 31.5, 23.5, (0.1,) * 8, 'rational_polynomial'),
        Intrinsics(64, 48, 50.0, 50.0, 31.5, 23.5, (0.1,) * 4, 'equidistant'),
        Intrinsics(64, 48),
    ],
)
def test_camera_info_round_trip(intrinsics: Intrinsics) -> None:
    info = to_camera_info(intrinsics, Header(frame_id='lens'))
    assert to_intrinsics(info) == intrinsics
    assert info.header.frame_id == 'lens'
    assert list(info.r) == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert [info.p[i] for i in (0, 2, 5, 6)] == [info.k[i] for i in (0, 2, 4, 5)]


def test_an_uncalibrated_camera_has_a_zero_matrix() -> None:
    info = to_camera_info(Intrinsics(64, 48), Header())
    assert not info.k.any()
    assert not info.p.any()
    assert not to_intrinsics(info).is_calibrated


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'width': 0}, 'image size must be positive, not 0x48'),
        ({'binning_x': 2}, 'binning or a region of interest is not supported'),
        ({'distortion_model': 'thin_prism'}, "distortion_model 'thin_prism' is unknown"),
        ({'d': [0.1]}, 'plumb_bob takes 4 or 5 coefficients, not 1'),
        ({'k': [50.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0]}, 'fx and fy must both be positive'),
        ({'k': [math.nan, 0, 0, 0, 50.0, 0, 0, 0, 1.0]}, 'camera_matrix must be finite'),
        ({'k': [0, 0, 0, 0, 0, 0, 0, 0, math.inf]}, 'camera_matrix must be finite'),
        ({'k': [50.0, 0.5, 31.5, 0, 50.0, 23.5, 0, 0, 1.0]}, 'camera_matrix must be [fx 0 cx; 0'),
        ({'k': [50.0, 0, 31.5, 7.0, 50.0, 23.5, 0, 0, 1.0]}, 'camera_matrix must be [fx 0 cx; 0'),
        ({'k': [50.0, 0, 31.5, 0, 50.0, 23.5, 1e300, 0, 1.0]}, 'camera_matrix must be [fx 0 cx'),
        ({'k': [50.0, 0, 31.5, 0, 50.0, 23.5, 0, 0, 0.0]}, 'camera_matrix must be [fx 0 cx; 0'),
        ({'d': [math.nan] * 5}, 'intrinsics must be finite'),
        ({'roi': RegionOfInterest(height=24)}, 'binning or a region of interest is not supp'),
        ({'roi': RegionOfInterest(width=64, height=48, y_offset=1)}, 'a region of interest'),
    ],
)
def test_a_senseless_camera_is_refused(change: dict[str, Any], words: str) -> None:
    info = to_camera_info(Intrinsics(64, 48, 50.0, 50.0, 31.5, 23.5), Header())
    for name, value in change.items():
        setattr(info, name, value)
    with pytest.raises(CalibrationError) as caught:
        to_intrinsics(info)
    assert words in str(caught.value)


@pytest.mark.parametrize('focus_dpt', [0.0, 2.25, math.nan])
@pytest.mark.parametrize('field_dpt', [0.0, -1.25])
@pytest.mark.parametrize('residual_dpt', [0.0, 0.02])
def test_slice_round_trip(focus_dpt: float, field_dpt: float, residual_dpt: float) -> None:
    sent = Slice(
        random(np.uint8, 3),
        LensState(focus_dpt, field_dpt=field_dpt, residual_dpt=residual_dpt),
        1_700_000_000_123_456_789,
        3,
        15,
        42,
    )
    header = header_of(stamp_of(sent.stamp_ns), 'lens')
    got = to_slice(to_image(sent.image, 'rgb8', header), to_focus(sent, header))
    np.testing.assert_equal(
        (got.focus_dpt, got.stamp_ns, got.index, got.count, got.sweep, got.lens.field_dpt),
        (sent.focus_dpt, sent.stamp_ns, sent.index, sent.count, sent.sweep, field_dpt),
    )
    assert got.lens.residual_dpt == residual_dpt
    np.testing.assert_array_equal(got.image, sent.image)


@pytest.mark.parametrize(
    ('name', 'position'),
    [
        (['focus', 'slice', 'slices', 'sweep'], [2.0, 1.0, 5.0]),
        (['focus', 'slice', 'slices', 'sweep'], []),
        (['slice', 'focus', 'slices', 'sweep'], [2.0, 1.0, 5.0, 0.0]),
        ([], [2.0, 1.0, 5.0, 0.0]),
        (['focus', 'slice', 'slices', 'sweep'], [2.0, 1.5, 5.0, 0.0]),
        (['focus', 'slice', 'slices', 'sweep'], [2.0, math.nan, 5.0, 0.0]),
        (['focus', 'slice', 'slices', 'sweep'], [2.0, -1.0, 5.0, 0.0]),
        (['focus', 'slice', 'slices', 'sweep'], [2.0, 0.0, 0.0, 0.0]),
        (['focus', 'slice', 'slices', 'sweep'], [math.inf, 1.0, 5.0, 0.0]),
        (['focus', 'slice', 'slices', 'sweep'], [-0.1, 1.0, 5.0, 0.0]),
        (['focus', 'slice', 'slices', 'sweep', 'field'], [2.0, 1.0, 5.0, 0.0]),
        (['focus', 'slice', 'slices', 'sweep', 'field'], [2.0, 1.0, 5.0, 0.0, math.nan]),
        (['focus', 'slice', 'slices', 'sweep', 'residual'], [2.0, 1.0, 5.0, 0.0, math.inf]),
        (['focus', 'slice', 'slices', 'sweep', 'residual'], [2.0, 1.0, 5.0, 0.0, -0.01]),
        (['focus', 'slice', 'slices', 'sweep', 'zoom'], [2.0, 1.0, 5.0, 0.0, 1.0]),
    ],
)
def test_a_malformed_place_is_refused(name: list[str], position: list[float]) -> None:
    image = to_image(random(np.uint8, 3), 'rgb8', Header())
    with pytest.raises(StackError):
        to_slice(image, JointState(name=name, position=position))


@pytest.mark.parametrize('ns', [0, 999_999_999, 1_000_000_000, 1_700_000_000_123_456_789])
def test_stamps_keep_every_nanosecond(ns: int) -> None:
    assert stamp_ns(stamp_of(ns)) == ns
