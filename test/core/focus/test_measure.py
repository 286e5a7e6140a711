"""The DDL measure against its definition, and the checks on a volume."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from stack_files import texture

from sff_ros.core.focus.measure import DILATIONS, FocusVolume, measure_ddl
from sff_ros.core.image import to_grey
from sff_ros.errors import StackError


def definition(grey: npt.NDArray[Any], r: int) -> npt.NDArray[np.float64]:
    g = np.pad(grey.astype(float), r, mode='reflect')
    h, w = grey.shape
    total = np.zeros((h, w))
    for dy, dx in ((0, r), (r, 0), (r, r), (r, -r)):
        a = g[r + dy : r + dy + h, r + dx : r + dx + w]
        b = g[r - dy : r - dy + h, r - dx : r - dx + w]
        total += np.abs(a + b - 2 * g[r : r + h, r : r + w])
    return total


@pytest.mark.parametrize('high', [255, 65535])
def test_response_is_the_papers_formula(high: int) -> None:
    image = texture(0, (24, 32), high)
    responses = measure_ddl(image, 1)
    assert responses.shape == (4, 24, 32)
    for r, response in zip(DILATIONS, responses, strict=True):
        np.testing.assert_allclose(response, definition(image, r), rtol=1e-6)


def test_pooling_is_the_mean_over_blocks() -> None:
    image = np.random.default_rng(1).integers(0, 256, (24, 32), dtype=np.uint8)
    blocks = measure_ddl(image, 1).reshape(4, 6, 4, 8, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(measure_ddl(image, 4), blocks, rtol=1e-5)


@pytest.mark.parametrize(('size', 'pooled'), [((17, 33), (9, 17)), ((30, 31), (15, 16))])
def test_odd_sizes_are_padded(size: tuple[int, int], pooled: tuple[int, int]) -> None:
    image = np.random.default_rng(2).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert measure_ddl(image, 2).shape == (4, *pooled)


def test_nothing_is_sharp_in_a_constant_image_not_even_its_border() -> None:
    assert measure_ddl(np.full((20, 20), 200, np.uint8), 2).max() == 0


def test_a_straight_ramp_responds_at_the_border_only() -> None:
    ramp = np.repeat(np.arange(40, dtype=np.uint8)[None] * 3, 20, axis=0)
    response = measure_ddl(ramp, 1)
    assert response[:, :, 4:-4].max() == 0
    assert response[0, :, 0].max() > 0


def test_grey_has_the_papers_weights() -> None:
    primaries = np.zeros((16, 16, 3), np.uint8)
    primaries[0, 0], primaries[0, 1], primaries[0, 2] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    assert to_grey(primaries)[0, :4].tolist() == [76, 150, 29, 0]


GOOD = {
    'responses': np.zeros((5, 1, 8, 9), np.float32),
    'axis': np.arange(5.0),
    'size': (16, 17),
    'pooling': 2,
}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'responses': np.zeros((5, 1, 8, 9))}, 'float32'),
        ({'responses': np.zeros((5, 8, 9), np.float32)}, r'\(S, C, h, w\)'),
        ({'size': (16, 19)}, r'pooled by 2 is \(8, 10\)'),
        ({'pooling': 0}, 'pooling must be 1 px or more, not 0'),
        ({'axis': np.arange(4.0)}, r'axis has shape \(4,\) for 5 slices'),
        ({'axis': np.array([0.0, 1, 1, 2, 3])}, 'strictly monotonic'),
        ({'axis': np.array([0.0, 1, np.nan, 2, 3])}, 'finite'),
    ],
)
def test_a_malformed_volume_is_refused(change: dict[str, Any], message: str) -> None:
    FocusVolume(**GOOD)  # type: ignore[arg-type]
    with pytest.raises(StackError, match=message):
        FocusVolume(**{**GOOD, **change})
