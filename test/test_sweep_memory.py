"""A sweep that does not fit into memory is refused before it takes it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from bright_sweep import COUNT, H, W, feed, sweep
from brightest_backend import BrightestBackend
from stack_files import make_folder

from sff_ros.cameras.recorded import FolderCamera
from sff_ros.config.cameras import FolderConfig
from sff_ros.errors import StackError
from sff_ros.files import memory
from sff_ros.files.stack import read_stack
from sff_ros.inference.peak import PeakBackend
from sff_ros.pipeline import ShapeFromFocus


def bytes_of_a_slice() -> int:
    """What a sweep of bright_sweep keeps of each slice: the image, and the responses to it."""
    image = sweep(0)[0].image
    return image.nbytes + BrightestBackend().measure(image).nbytes


def test_an_endless_sweep_is_refused_with_its_first_slice() -> None:
    pipeline = ShapeFromFocus(BrightestBackend())
    for slice_ in sweep(0):
        with pytest.raises(StackError, match=rf'1,000,000,000 slices of {W}x{H} needs .* GB, mo'):
            pipeline.add(replace(slice_, count=10**9))
    assert len(feed(pipeline, sweep(1))) == 1
    assert +pipeline.counts == {'sweeps': 1}


@pytest.mark.parametrize('fits', [True, False])
def test_a_sweep_may_take_all_of_its_room(monkeypatch: pytest.MonkeyPatch, fits: bool) -> None:
    room = COUNT * bytes_of_a_slice()
    monkeypatch.setattr(memory, 'SWEEP_BYTES', room if fits else room - 1)
    pipeline = ShapeFromFocus(BrightestBackend())
    if fits:
        assert len(feed(pipeline, sweep(0))) == 1
    else:
        with pytest.raises(StackError, match='take fewer slices, or smaller images'):
            feed(pipeline, sweep(0))


def test_a_recording_without_room_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = read_stack(make_folder(tmp_path / 'stack'))
    monkeypatch.setattr(memory, 'SWEEP_BYTES', 2 * 4 * 32 * 40 * 3 - 1)
    with pytest.raises(StackError, match=r'4 slices of 40x32 needs .* GB'):
        ShapeFromFocus(PeakBackend()).estimate(stack)
    # Replayed, its last sweep is kept while the next is taken.
    with pytest.raises(StackError, match=r'4 slices of 40x32 needs .* GB'):
        FolderCamera(FolderConfig(path=str(tmp_path / 'stack')))


@pytest.mark.parametrize(
    ('limit', 'expected'),
    [('1000000\n', 10**6), ('max\n', None), (f'{10**18}\n', None), ('', None)],
)
def test_a_container_limits_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, expected: int | None
) -> None:
    (tmp_path / 'memory.max').write_text(limit)
    monkeypatch.setattr(memory, '_CGROUP_LIMIT', tmp_path / 'memory.max')
    machine = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    assert memory.memory_bytes() == (expected or machine)
    monkeypatch.setattr(memory, '_CGROUP_LIMIT', tmp_path / 'missing')
    assert memory.memory_bytes() == machine
