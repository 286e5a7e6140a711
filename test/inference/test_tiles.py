"""A large image is given to the network in tiles, and the result shows no seam."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from rendered import texture

from sff_ros.core.focus.all_in_focus import RunningAllInFocus
from sff_ros.core.focus.estimate import FocusEstimate
from sff_ros.core.focus.measure import FocusVolume
from sff_ros.inference import tiles
from sff_ros.inference.backend import DepthBackend, ModelSpec
from sff_ros.inference.choice import open_backend
from sff_ros.inference.network_backend import CanonicalNetwork
from sff_ros.inference.tiles import MARGIN_PX, TILE_PX, WHOLE_PX, tiles_of

Maps = npt.NDArray[np.float32]
LARGE = [(2000, 3000), (3000, 4000), (1201, 1999), (500, 9001), (6001, 401), (4096, 8192)]


@pytest.mark.parametrize('size', LARGE)
@pytest.mark.parametrize('multiple', [1, 16, 32])
def test_tiles_cover_each_pixel_once_with_a_margin(size: tuple[int, int], multiple: int) -> None:
    taken = np.zeros(size, np.uint8)
    parts = tiles_of(size, multiple)
    for tile in parts:
        window = tile.window
        taken[tile.rows, tile.columns] += 1
        assert window.top % multiple == window.left % multiple == 0
        assert window.height * window.width <= TILE_PX
        for start, length, own, side in (
            (window.top, window.height, tile.rows, size[0]),
            (window.left, window.width, tile.columns, size[1]),
        ):
            assert start >= 0
            assert start + length <= side
            # The rounding of starts may cost a part of one multiple.
            assert own.start == 0 or own.start - start > MARGIN_PX - multiple
            assert own.stop == side or start + length - own.stop > MARGIN_PX - multiple
    assert (taken == 1).all()
    padded = {
        tuple(-(-side // multiple) for side in (t.window.height, t.window.width)) for t in parts
    }
    assert len(padded) == 1  # so that an engine is built for one size


@pytest.mark.parametrize('size', [(480, 640), (1080, 1920), (16, 17)])
def test_images_up_to_full_hd_are_not_cut(size: tuple[int, int]) -> None:
    (tile,) = tiles_of(size, 16)
    assert (tile.window.height, tile.window.width) == size
    assert size[0] * size[1] <= WHOLE_PX


class CopyingRunner:
    """Answers with what it sees, so that a tile in a wrong place shows."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []

    def run(self, responses: Maps, evidence: Maps, context: Maps) -> tuple[Maps, Maps]:
        self.sizes.append(context.shape[1:])
        position = np.repeat(np.repeat(responses[3, 1], 2, axis=0), 2, axis=1)
        return 7 + np.tanh(position), np.clip(context[0] / 10, 0.01, 1)


def cut(monkeypatch: pytest.MonkeyPatch, tile_px: int, margin_px: int) -> None:
    monkeypatch.setattr(tiles, 'WHOLE_PX', 0)
    monkeypatch.setattr(tiles, 'TILE_PX', tile_px)
    monkeypatch.setattr(tiles, 'MARGIN_PX', margin_px)


@pytest.mark.parametrize('count', [9, 15])
@pytest.mark.parametrize('grey', [False, True])
def test_tiles_are_put_back_where_they_were(
    monkeypatch: pytest.MonkeyPatch, count: int, grey: bool
) -> None:
    size = (121, 203)
    rng = np.random.default_rng(0)
    responses = rng.uniform(0.1, 1, (count, 4, 61, 102)).astype(np.float32)
    volume = FocusVolume(responses, np.arange(count, dtype=float), size, 2)
    context = rng.integers(0, 256, size if grey else (*size, 3)).astype(np.uint8)
    runner = CopyingRunner()
    spec = ModelSpec('copy', slices=15, size_multiple=16, sha256='', precision='fp32', pooling=2)
    network = CanonicalNetwork(spec, runner)
    whole = network.infer(volume, context)
    cut(monkeypatch, 5000, 8)
    parts = network.infer(volume, context)
    assert len(runner.sizes) > 4
    assert len({*runner.sizes[1:]}) == 1
    np.testing.assert_array_equal(parts.position, whole.position)
    np.testing.assert_array_equal(parts.confidence, whole.confidence)
    np.testing.assert_array_equal(parts.deviation, whole.deviation)


def swept(backend: DepthBackend) -> FocusEstimate:
    """Return the estimate of a ramp, 448x96 px, in 15 slices."""
    sharp = np.hstack([texture(seed) for seed in range(4)])[:, :448]
    ramp = np.linspace(2, 12, sharp.shape[1], dtype=np.float32)[None].repeat(96, axis=0)
    images = sweep_over(ramp, sharp)
    responses, context = [], RunningAllInFocus()
    for image in images:
        responses.append(backend.measure(image))
        context.add(image, responses[-1])
    volume = FocusVolume(np.stack(responses), np.arange(15.0), (96, 448), backend.spec.pooling)
    return backend.infer(volume, context.image)


def sweep_over(position: Maps, sharp: Maps) -> list[npt.NDArray[np.uint8]]:
    images = []
    for focus in range(15):
        image = np.empty_like(sharp)
        for blur in range(15):
            mask = np.rint(np.abs(position - focus)) == blur
            soft = cv2.GaussianBlur(sharp, (0, 0), 0.01 + 0.4 * blur)
            image[mask] = soft[mask]
        images.append(np.clip(image, 0, 255).astype(np.uint8))
    return images


def test_the_network_shows_no_seam(monkeypatch: pytest.MonkeyPatch, network_file: Path) -> None:
    backend = open_backend('onnx', str(network_file))
    whole = swept(backend)
    cut(monkeypatch, 96 * 368, MARGIN_PX)
    assert len(tiles_of((96, 448), 16)) == 2
    parts = swept(backend)
    assert np.abs(parts.position - whole.position).max() < 0.02
    assert np.abs(parts.confidence - whole.confidence).max() < 0.005
    # The test sees a seam where the margin is too small.
    cut(monkeypatch, 96 * 272, 16)
    assert np.abs(swept(backend).position - whole.position).max() > 0.02
