"""What inference_node makes of slices, good and bad."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hand_made import FRAME, HandMade, Spoil
from live_graph import StartGraph, facts, wait
from sensor_msgs.msg import CameraInfo, Image, JointState

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.stamp import stamp_ns
from sff_ros.nodes.inference_node import InferenceNode
from sff_ros.nodes.messages import to_array, to_intrinsics

SHARP_DPT = 2.0  # of HandMade's wall
FOCUS, PICTURE = 'focus_map/image', 'all_in_focus/image_rect_color'
DEVIATION = 'focus_map/standard_deviation'


def dioptres(message: Image) -> float:
    return float(np.median(to_array(message)))


def test_one_sweep_gives_one_set_of_outputs_with_one_stamp_and_frame(start: StartGraph) -> None:
    graph = start(InferenceNode)
    images = {
        topic: graph.collect(Image, topic)
        for topic in (
            FOCUS, 'focus_map/confidence', 'focus_map/slice_position', DEVIATION, PICTURE
        )
    }  # fmt: skip
    infos = graph.collect(CameraInfo, 'all_in_focus/camera_info')
    hand = HandMade(graph)
    first_ns = hand.last_ns + HandMade.STEP_NS
    hand.sweep()
    wait(lambda: infos and all(images.values()), 'all outputs')
    middle_ns = first_ns + 2 * HandMade.STEP_NS
    for message in (infos[0], *(images[topic][0] for topic in images)):
        assert stamp_ns(message.header.stamp) == middle_ns
        assert message.header.frame_id == FRAME
        assert (message.width, message.height) == (HandMade.WIDTH, HandMade.HEIGHT)
    assert [images[topic][0].encoding for topic in images] == ['32FC1'] * 4 + ['rgb8']
    deviation = to_array(images[DEVIATION][0])
    assert 0 < np.median(deviation) < 0.2
    assert dioptres(images[FOCUS][0]) == pytest.approx(SHARP_DPT, abs=0.1)
    position = np.median(to_array(images['focus_map/slice_position'][0]))
    assert position == pytest.approx(HandMade.SHARP, abs=0.2)
    confidence = to_array(images['focus_map/confidence'][0])
    assert 0.3 < np.median(confidence) <= confidence.max() <= 1
    assert to_intrinsics(infos[0]).matrix[0, 0] == 80.0
    sharp = to_array(images[PICTURE][0]).astype(float)
    assert np.abs(sharp - hand.images[HandMade.SHARP]).mean() < 12


def test_distortion_is_undone(start: StartGraph) -> None:
    graph = start(InferenceNode)
    focus, infos = (
        graph.collect(Image, FOCUS),
        graph.collect(CameraInfo, 'all_in_focus/camera_info'),
    )
    # Strong barrel distortion: the rectified image's corners lie outside of what was seen.
    bent = Intrinsics(64, 48, 40.0, 40.0, 31.5, 23.5, (0.5, 0.0, 0.0, 0.0))
    HandMade(graph, bent).sweep()
    wait(lambda: focus and infos, 'a focus map')
    values = to_array(focus[0])
    assert np.isnan(values[0, 0])
    assert np.isfinite(values[24, 32])
    assert list(infos[0].d) == [0.0] * 5
    assert infos[0].k[0] == 40.0


def wrong_size(image: Image, info: CameraInfo, focus: JointState) -> None:
    image.height -= 1
    info.height -= 1
    image.data = image.data[: image.step * image.height]


def other_size_than_camera_info(image: Image, info: CameraInfo, focus: JointState) -> None:
    info.width += 2


def wrong_encoding(image: Image, info: CameraInfo, focus: JointState) -> None:
    image.encoding = 'jpeg'


def other_encoding(image: Image, info: CameraInfo, focus: JointState) -> None:
    image.encoding, image.step = 'mono8', image.width
    image.data = image.data[: image.step * image.height]


def wrong_step(image: Image, info: CameraInfo, focus: JointState) -> None:
    image.step -= 1


def short(image: Image, info: CameraInfo, focus: JointState) -> None:
    image.data = image.data[:-1]


def floating(image: Image, info: CameraInfo, focus: JointState) -> None:
    image.encoding, image.width, image.height, image.step = '32FC1', 16, 16, 64
    image.data = image.data[:1024]
    info.width = info.height = 16


def not_monotonic(image: Image, info: CameraInfo, focus: JointState) -> None:
    focus.position[0] = 0.5


def negative(image: Image, info: CameraInfo, focus: JointState) -> None:
    focus.position[0] = -0.5


def unknown_among_known(image: Image, info: CameraInfo, focus: JointState) -> None:
    focus.position[0] = math.nan


def nameless(image: Image, info: CameraInfo, focus: JointState) -> None:
    focus.name = ['focus']


def halved(image: Image, info: CameraInfo, focus: JointState) -> None:
    focus.position[1] = 2.5


def beyond_the_count(image: Image, info: CameraInfo, focus: JointState) -> None:
    focus.position[1] = 7.0


def endless(image: Image, info: CameraInfo, focus: JointState) -> None:
    focus.position[3] = math.inf


def senseless_camera(image: Image, info: CameraInfo, focus: JointState) -> None:
    info.k[4] = -80.0


@pytest.mark.parametrize(
    ('spoil', 'words'),
    [
        (wrong_size, 'slice 3 is (47, 64, 3) uint8, the sweep is (48, 64, 3) uint8'),
        (other_size_than_camera_info, 'stack/camera_info is for 66x48, stack/image is 64x48'),
        (wrong_encoding, "encoding 'jpeg' is not supported; one of mono8, 8UC1, rgb8"),
        (other_encoding, 'slice 3 is (48, 64) uint8, the sweep is (48, 64, 3) uint8'),
        (wrong_step, 'step 191 does not fit a 64x48 rgb8 image (at least 192)'),
        (short, '9215 bytes are not step 192 x height 48 = 9216'),
        (floating, 'a slice must be uint8 or uint16, not float32'),
        (not_monotonic, 'focus must be strictly monotonic: slice 3 is at 0.5 dpt after 2'),
        (negative, 'focus must be finite dioptres >= 0, or NaN if unknown, not -0.5'),
        (unknown_among_known, 'either every slice knows its focus or none does'),
        (nameless, "stack/focus must name focus, slice, slices, sweep, not ['focus']"),
        (halved, 'slice, slices and sweep must be whole numbers, not [2.5, 5.0, 1.0]'),
        (beyond_the_count, 'slice index 7 is outside 0..4'),
        (endless, 'slice, slices and sweep must be whole numbers, not [3.0, 5.0, inf]'),
        (senseless_camera, 'stack/camera_info: fx and fy must both be positive'),
    ],
)
def test_a_bad_slice_is_refused_counted_and_the_sweep_goes_on(
    start: StartGraph, spoil: Spoil, words: str
) -> None:
    graph = start(InferenceNode)
    focus = graph.collect(Image, FOCUS)
    HandMade(graph).sweep(spoil={3: spoil})
    wait(lambda: focus, 'a focus map of the rest')
    status = graph.says('inference_node', words)
    assert facts(status)['refused_slices'] == '1'
    assert facts(status)['stack_missing_slices'] == '1'
    assert dioptres(focus[0]) == pytest.approx(SHARP_DPT, abs=0.1)


def test_a_slice_that_comes_twice_is_refused(start: StartGraph) -> None:
    graph = start(InferenceNode)
    focus = graph.collect(Image, FOCUS)
    hand = HandMade(graph)
    hand.sweeps = 1
    for index in range(HandMade.COUNT):
        parts = hand.messages(index, 1.0 + 0.5 * index)
        hand.send(parts)
        if index == 1:
            wait(lambda: graph.counts('inference_node', 'slices', 2) == 2, 'two slices')
            hand.send(parts)
    graph.says('inference_node', 'slice 1 of sweep 1 came twice or too late')
    wait(lambda: focus, 'a focus map')
    hand.sweep()
    wait(lambda: len(focus) > 1, 'a focus map of the next sweep')
    stamps = [stamp_ns(message.header.stamp) for message in focus]
    assert stamps == [hand.last_ns - step * HandMade.STEP_NS for step in (7, 2)]


def test_a_missing_slice_in_the_middle_still_gives_depth(start: StartGraph) -> None:
    graph = start(InferenceNode)
    focus = graph.collect(Image, FOCUS)
    HandMade(graph).sweep(without=[1])
    wait(lambda: focus, 'a focus map')
    assert dioptres(focus[0]) == pytest.approx(SHARP_DPT, abs=0.15)
    status = graph.status('inference_node', 'a sweep', lambda s: 'sweeps' in facts(s))
    assert facts(status)['stack_incomplete'] == '1'
    assert facts(status)['stack_missing_slices'] == '1'


def test_a_missing_last_slice_is_noticed_by_the_next_sweep(start: StartGraph) -> None:
    graph = start(InferenceNode)
    focus = graph.collect(Image, FOCUS)
    hand = HandMade(graph)
    hand.sweep(without=[4])
    last_ns = hand.last_ns - HandMade.STEP_NS
    hand.sweep()
    wait(lambda: len(focus) == 2, 'two focus maps')
    assert stamp_ns(focus[0].header.stamp) == last_ns - 3 * HandMade.STEP_NS // 2
    for message in focus:
        assert dioptres(message) == pytest.approx(SHARP_DPT, abs=0.15)


def test_a_sweep_that_lost_too_much_is_dropped_and_counted(start: StartGraph) -> None:
    graph = start(InferenceNode, inference_node={'max_missing': 1})
    focus = graph.collect(Image, FOCUS)
    hand = HandMade(graph)
    hand.sweep(without=[1, 3])
    hand.sweep()
    wait(lambda: focus, 'the second focus map')
    assert stamp_ns(focus[0].header.stamp) == hand.last_ns - 2 * HandMade.STEP_NS
    assert graph.counts('inference_node', 'stack_dropped_sweeps') == 1
    assert len(focus) == 1


def test_max_missing_takes_effect_live(start: StartGraph) -> None:
    graph = start(InferenceNode, inference_node={'max_missing': 0})
    focus = graph.collect(Image, FOCUS)
    hand = HandMade(graph)
    hand.sweep(without=[1])
    assert graph.counts('inference_node', 'stack_dropped_sweeps') == 1
    assert graph.set('inference_node', 'max_missing', 1).successful
    hand.sweep(without=[1])
    wait(lambda: focus, 'a focus map')


def test_without_focus_distances_there_are_slice_positions_only(start: StartGraph) -> None:
    graph = start(InferenceNode)
    focus = graph.collect(Image, FOCUS)
    position = graph.collect(Image, 'focus_map/slice_position')
    HandMade(graph).sweep(focus=lambda _: math.nan)
    graph.says('inference_node', 'focus distances unknown: no focus_map/image')
    assert graph.counts('inference_node', 'sweeps') == 1
    assert not focus
    assert np.median(to_array(position[0])) == pytest.approx(HandMade.SHARP, abs=0.2)


@pytest.mark.parametrize('grey', [0, 90, 255])
def test_constant_pictures_give_no_confident_depth(start: StartGraph, grey: int) -> None:
    graph = start(InferenceNode)
    confidence = graph.collect(Image, 'focus_map/confidence')
    hand = HandMade(graph)
    for image in hand.images:
        image[...] = grey
    hand.sweep()
    wait(lambda: confidence, 'a confidence map')
    assert to_array(confidence[0]).max() == 0
    graph.says('inference_node', 'sharpness does not change along the sweep: does the lens move')


def test_a_recording_that_starts_again_is_taken_again(start: StartGraph) -> None:
    graph = start(InferenceNode)
    focus = graph.collect(Image, FOCUS)
    hand = HandMade(graph)
    begin_ns = hand.last_ns
    hand.sweep()
    hand.sweep()
    wait(lambda: len(focus) == 2, 'two focus maps')
    hand.last_ns, hand.sweeps = begin_ns - 60_000_000_000, 0  # as `ros2 bag play --loop` does
    hand.sweep()
    wait(lambda: len(focus) == 3, 'a focus map of the recording played again')


@pytest.mark.parametrize('lost', [(), (4,)])
@pytest.mark.parametrize('size', [(48, 64), (60, 80)])
def test_a_sweep_keeps_the_camera_it_was_taken_with(
    start: StartGraph, lost: tuple[int, ...], size: tuple[int, int]
) -> None:
    """A new image size, or new intrinsics and a new frame, from one sweep to the next."""
    graph = start(InferenceNode)
    focus, infos = (
        graph.collect(Image, FOCUS),
        graph.collect(CameraInfo, 'all_in_focus/camera_info'),
    )
    hand = HandMade(graph)
    hand.sweep(without=lost)
    hand.change_camera(Intrinsics(size[1], size[0], 120.0, 120.0, 30.0, 20.0), 'another')
    hand.sweep()
    wait(lambda: len(focus) == len(infos) == 2, 'two focus maps')
    assert [to_array(message).shape for message in focus] == [(48, 64), size]
    assert [(info.height, info.width) for info in infos] == [(48, 64), size]
    assert [info.k[0] for info in infos] == [80.0, 120.0]
    assert [info.header.frame_id for info in infos] == [FRAME, 'another']
    assert [message.header.frame_id for message in focus] == [FRAME, 'another']
