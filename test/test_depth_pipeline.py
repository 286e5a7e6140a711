"""From a focus map to metres, step by step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bright_sweep import H, W, feed, sweep
from brightest_backend import DEVIATION, BrightestBackend

from sff_ros.config.nodes import DepthConfig
from sff_ros.core.image import FloatMap
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.depth_pipeline import DepthPipeline, RectifiedFocus, is_sure
from sff_ros.errors import CalibrationError
from sff_ros.pipeline import FocusMap, ShapeFromFocus, SweepSetup

PINHOLE = Intrinsics(W, H, 40.0, 40.0, (W - 1) / 2, (H - 1) / 2)
# Barrel distortion: the rectified image's corners lie outside of what was seen.
BARREL = replace(PINHOLE, distortion=(0.5, 0.0, 0.0, 0.0))
ALL = DepthConfig(min_confidence=0.0)


def focus_map(
    camera: Intrinsics | None, field_dpt: float = 0.0, residual_dpt: float = 0.0
) -> FocusMap:
    """Return a map of 1, 4 dpt and beyond the far end, from left to right."""
    lens = [replace(s.lens, field_dpt=field_dpt, residual_dpt=residual_dpt) for s in sweep(0)]
    slices = [replace(s, lens=state) for s, state in zip(sweep(0), lens, strict=True)]
    (result,) = feed(ShapeFromFocus(BrightestBackend()), slices, SweepSetup(camera))
    return result


def focus_of(dioptres: FloatMap, confidence: FloatMap | None = None) -> RectifiedFocus:
    sure = np.ones_like(dioptres) if confidence is None else confidence
    return RectifiedFocus(dioptres, sure, PINHOLE)


@pytest.mark.parametrize('camera', [None, PINHOLE])
def test_without_distortion_metres_are_those_of_the_sweep(camera: Intrinsics | None) -> None:
    pipeline = DepthPipeline()
    focus = pipeline.rectify(focus_map(camera)).focus()
    assert focus is not None
    depth = pipeline.depth(focus, ALL)
    expected = np.tile(np.repeat([1.0, 0.25, np.inf], W // 3), (H, 1))
    np.testing.assert_allclose(depth.depth_m, expected, rtol=1e-6)
    assert depth.valid.mean() == pytest.approx(2 / 3)
    assert depth.millimetres[0, ::16].tolist() == [1000, 250, 0]
    assert depth.camera == (camera or Intrinsics(W, H))
    if camera is None:
        with pytest.raises(CalibrationError, match='no points without intrinsics'):
            depth.points()


def test_distortion_is_undone_after_field_curvature() -> None:
    """The field is that of the distorted image; both maps and the camera are rectified alike."""
    pipeline = DepthPipeline()
    bent = focus_map(BARREL, field_dpt=0.5)
    rectified = pipeline.rectify(bent)
    focus = rectified.focus()
    assert focus is not None
    assert (focus.camera, focus.camera.is_distorted) == (PINHOLE, False)
    assert np.isnan(focus.dioptres[0, 0])
    assert focus.confidence[0, 0] == 0
    assert np.isnan(rectified.position()[0, 0])
    assert (rectified.all_in_focus()[0, 0] == 0).all()
    assert bent.dioptres is not None
    np.testing.assert_array_equal(focus.dioptres, rectified.map(bent.dioptres))
    x, y = 6, 10
    r2 = ((x - PINHOLE.cx) / 40) ** 2 + ((y - PINHOLE.cy) / 40) ** 2
    seen_x, seen_y = (
        round((at - c) * (1 + 0.5 * r2) + c) for at, c in ((x, PINHOLE.cx), (y, PINHOLE.cy))
    )
    squared = ((seen_x - PINHOLE.cx) / 40) ** 2 + ((seen_y - PINHOLE.cy) / 40) ** 2
    assert focus.dioptres[y, x] == pytest.approx(1.0 + 0.5 * squared, rel=1e-5)


def test_what_is_not_sure_is_cut_before_speckles_are_looked_for() -> None:
    """A patch of 12 pixels, half of it not sure: what is left is a speckle."""
    dioptres, sure = np.full((H, W), 1.0, np.float32), np.ones((H, W), np.float32)
    dioptres[8:10, 10:16] = 3.0
    sure[8:10, 10:13] = 0.2
    config = DepthConfig(min_confidence=0.5, speckle_size_px=10)
    depth = DepthPipeline().depth(focus_of(dioptres, sure), config)
    assert np.isnan(depth.depth_m[8:10, 10:16]).all()
    assert depth.valid.sum() == H * W - 12
    kept = DepthPipeline().depth(focus_of(dioptres), config)
    np.testing.assert_allclose(kept.depth_m[8:10, 10:16], 1 / 3, rtol=1e-6)


def test_sweeps_are_averaged_in_dioptres_until_a_reset() -> None:
    pipeline, config = DepthPipeline(), DepthConfig(temporal_weight=0.5, temporal_step_dpt=1.0)
    one, other = (np.full((H, W), value, np.float32) for value in (1.0, 1.5))
    pipeline.depth(focus_of(one), config)
    mixed = pipeline.depth(focus_of(other), config)
    np.testing.assert_allclose(mixed.depth_m, 1 / 1.25, rtol=1e-6)
    pipeline.reset()
    np.testing.assert_allclose(pipeline.depth(focus_of(other), config).depth_m, 1 / 1.5)


def test_another_camera_has_no_past() -> None:
    pipeline, config = DepthPipeline(), DepthConfig(temporal_weight=0.5, temporal_step_dpt=1.0)
    pipeline.depth(focus_of(np.full((H, W), 1.0, np.float32)), config)
    changed = replace(focus_of(np.full((H, W), 1.5, np.float32)), camera=replace(PINHOLE, cx=20.0))
    np.testing.assert_allclose(pipeline.depth(changed, config).depth_m, 1 / 1.5)


@pytest.mark.parametrize('residual_dpt', [0.0, 0.3])
def test_the_deviation_in_metres(residual_dpt: float) -> None:
    """A quarter of a slice in steps of 1 dpt at 1 m and 3 dpt at 0.25 m, and the lens's own."""
    pipeline = DepthPipeline()
    rectified = pipeline.rectify(focus_map(PINHOLE, residual_dpt=residual_dpt))
    focus, deviation_dpt = rectified.focus(), rectified.deviation_dpt()
    assert focus is not None
    assert deviation_dpt is not None
    found = pipeline.depth(focus, ALL).deviation_m(deviation_dpt)
    assert found.dtype == np.float32
    near = np.hypot(3.0 * DEVIATION, residual_dpt) / 4.0**2
    far = np.hypot(1.0 * DEVIATION, residual_dpt)
    expected = np.tile(np.repeat([far, near, np.nan], W // 3), (H, 1))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_deviation_is_unknown_exactly_where_the_depth_is() -> None:
    """By confidence, range, speckles, the ends of the sweep and the edge of the image."""
    pipeline = DepthPipeline()
    rectified = pipeline.rectify(focus_map(BARREL, field_dpt=0.5))
    focus, deviation_dpt = rectified.focus(), rectified.deviation_dpt()
    assert focus is not None
    assert deviation_dpt is not None
    sure = focus.confidence.copy()
    sure[12:16] = 0.4
    dioptres = focus.dioptres.copy()
    dioptres[20:22, 6:8] = 6.0
    config = DepthConfig(min_depth_m=0.2497, speckle_size_px=10)
    depth = pipeline.depth(RectifiedFocus(dioptres, sure, focus.camera), config)
    found = depth.deviation_m(deviation_dpt)
    assert 0.05 < depth.valid.mean() < 0.8
    assert np.isneginf(depth.depth_m).any()
    np.testing.assert_array_equal(np.isfinite(found), depth.valid)
    assert np.isnan(found[~depth.valid]).all()
    where = depth.valid
    np.testing.assert_allclose(found[where], (depth.depth_m**2 * deviation_dpt)[where], rtol=1e-6)


def test_without_focus_distances_there_is_no_deviation() -> None:
    slices = [replace(s, lens=LensState()) for s in sweep(0)]
    (result,) = feed(ShapeFromFocus(BrightestBackend()), slices, SweepSetup(PINHOLE))
    assert DepthPipeline().rectify(result).deviation_dpt() is None


def test_cloud_and_points_are_one() -> None:
    pipeline = DepthPipeline()
    for camera in (PINHOLE, replace(PINHOLE, fx=80.0, fy=80.0), PINHOLE):
        focus = pipeline.rectify(focus_map(camera)).focus()
        assert focus is not None
        depth = pipeline.depth(focus, ALL)
        words = pipeline.cloud(depth, np.zeros((H, W, 3), np.uint8))
        np.testing.assert_array_equal(words[..., :3], depth.points())
        assert words[3, 5, 0] == pytest.approx((5 - camera.cx) / camera.fx)


@pytest.mark.parametrize(('confidence', 'sure'), [(0.49, False), (0.5, True), (np.nan, False)])
def test_the_limit_of_confidence(confidence: float, sure: bool) -> None:
    assert is_sure(np.full((1, 1), confidence, np.float32), DepthConfig()).item() is sure
