from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from stack_files import DOME, encode, make_folder, texture

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import CalibrationError, SffError, StackError
from sff_ros.files import stack as stack_folder
from sff_ros.files.stack import list_images, read_stack, write_stack

K = 'camera_matrix: [[50, 0, 19.5], [0, 51, 15.5], [0, 0, 1]]\n'


def test_images_are_ordered_and_other_files_do_not_count(tmp_path: Path) -> None:
    names = ['s10.PNG', 's2.png', 'S1.png', 's02b.png', 's2a.jpeg', '10.png', '9.png']
    others = ['stack.yaml', 'notes.txt', '.s3.png', 'intrinsic.yaml', 's4.png.bak']
    for name in names + others:
        (tmp_path / name).touch()
    (tmp_path / 'truth').mkdir()
    (tmp_path / 's5.png').mkdir()
    found = [path.name for path in list_images(tmp_path)]
    assert found == ['9.png', '10.png', 'S1.png', 's2.png', 's2a.jpeg', 's02b.png', 's10.PNG']


def test_a_folder_without_stack_yaml_knows_images_only(tmp_path: Path) -> None:
    stack = read_stack(make_folder(tmp_path, 12))
    assert [path.name for path in stack.paths[-3:]] == [
        'slice_9.png',
        'slice_10.png',
        'slice_11.png',
    ]
    assert not stack.has_focus
    assert np.isnan(stack.focus_dpt).all()
    assert stack.intrinsics == Intrinsics(40, 32)
    np.testing.assert_array_equal(stack.image(10), texture(10))
    assert stack.white == 255


@pytest.mark.parametrize(
    ('yaml', 'focus_dpt'),
    [
        ('focus_dpt: [0, 1, 2.5, 4]', [0, 1, 2.5, 4]),
        ('focus_dpt: [4.0, 2, 1, 0.5]', [4, 2, 1, 0.5]),
        ('focus_m: [.inf, 2, 1, 0.25]', [0, 0.5, 1, 4]),
        ('focus_m: [0.1, 0.2, 0.4, inf]', [10, 5, 2.5, 0]),
        ('focus_m: [1e-1, 2e-1, 4e-1, 1]', [10, 5, 2.5, 1]),
        ('lens_codes: [10, 20, 30, 40]\nlens: {codes: [0, 50], dioptres: [0, 5]}', [1, 2, 3, 4]),
        ('lens_codes: [40, 20, 10, 0]\nlens: {codes: [0, 50], dioptres: [5, 0]}', [1, 3, 4, 5]),
        ('lens_codes: [-3, 20, 30, 40]', [np.nan] * 4),
        ('# nothing is known', [np.nan] * 4),
    ],
)
def test_focus_is_read(tmp_path: Path, yaml: str, focus_dpt: list[float]) -> None:
    stack = read_stack(make_folder(tmp_path, 4, yaml))
    np.testing.assert_allclose(stack.focus_dpt, focus_dpt, rtol=1e-12)
    np.testing.assert_array_equal(stack.focal_stack().focus_dpt, stack.focus_dpt)


@pytest.mark.parametrize(
    ('yaml', 'expected'),
    [
        (K, Intrinsics(40, 32, 50, 51, 19.5, 15.5)),
        ('camera_matrix: [50, 0, 19.5, 0, 51, 15.5, 0, 0, 1]',
         Intrinsics(40, 32, 50, 51, 19.5, 15.5)),
        ('camera_matrix: [0, 0, 0, 0, 0, 0, 0, 0, 0]\ndistortion: [0, 0, 0, 0]',
         Intrinsics(40, 32, distortion=(0.0,) * 4)),
        (K + 'distortion: [0.1, -0.2, 0, 0, 0.3]',
         Intrinsics(40, 32, 50, 51, 19.5, 15.5, (0.1, -0.2, 0, 0, 0.3))),
        (K + 'distortion: [1, 2, 3, 4, 5, 6, 7, 8]',
         Intrinsics(40, 32, 50, 51, 19.5, 15.5, (1, 2, 3, 4, 5, 6, 7, 8), 'rational_polynomial')),
        (K + 'distortion: [1, 2, 3, 4]\ndistortion_model: equidistant',
         Intrinsics(40, 32, 50, 51, 19.5, 15.5, (1, 2, 3, 4), 'equidistant')),
    ],
)  # fmt: skip
def test_intrinsics_are_read(tmp_path: Path, yaml: str, expected: Intrinsics) -> None:
    assert read_stack(make_folder(tmp_path, 3, yaml)).intrinsics == expected


@pytest.mark.parametrize(
    ('yaml', 'message'),
    [
        ('focus_mm: [1, 2, 3, 4]', "unknown key 'focus_mm'; did you mean focus_m? known: "),
        ('colour: red', "unknown key 'colour'; known: focus_dpt, focus_m, lens_codes, pos"),
        ('focus_dpt: [1, 2, 3]', 'focus_dpt has 3 values for 4 images'),
        ('focus_dpt: [1, 2, 2, 4]', 'strictly monotonic: focus_dpt[2] is 2 after 2'),
        ('focus_m: [1, 2, 4, 3]', 'strictly monotonic: focus_m[3] is 3 after 4'),
        ('lens_codes: [9, 5, 7, 1]', 'strictly monotonic: lens_codes[2] is 7 after 5'),
        ('focus_dpt: [4, 3, 3, 1]', 'strictly monotonic: focus_dpt[2] is 3 after 3'),
        ('focus_dpt: [1, 1, 1, 1]', 'strictly monotonic: focus_dpt[1] is 1 after 1'),
        ('focus_dpt: [-1, 2, 3, 4]', 'focus_dpt[0] must be >= 0 dpt, not -1'),
        ('focus_m: [0, 2, 3, 4]', 'focus_m[0] must be > 0 m, not 0'),
        ('focus_m: [-.inf, 2, 3, 4]', 'focus_m[0] must be > 0 m, not -inf'),
        ('focus_dpt: [1, 2, 3, .inf]', 'focus_dpt[3] must be finite, not inf'),
        ('focus_m: [1, 2, 3, .nan]', 'focus_m[3] must be finite, not nan'),
        ('focus_dpt: [1, 2, x, 4]', "focus_dpt[2] must be a number, not 'x'"),
        ('focus_dpt: [1, 2, true, 4]', 'focus_dpt[2] must be a number, not True'),
        ('focus_dpt: 3', 'focus_dpt must be a list of numbers, not 3'),
        ('focus_dpt: [1, 2, 3, 4]\nfocus_m: [4, 3, 2, 1]', 'focus_dpt and focus_m exclude each'),
        ('focus_dpt: [1, 2, 3, 4]\nfocus_dpt: [4, 3, 2, 1]', 'focus_dpt is given 2 times'),
        ('lens: {codes: [0, 1], dioptres: [0, 1]}', 'lens is a table for lens_codes'),
        ('lens_codes: [0, 1, 2, 3]\nlens: {codes: [0, 1]}', 'lens must have exactly the keys'),
        ('lens_codes: [0, 1, 2, 3]\nlens: {codes: [0, 2], dioptres: [0, 5]}',
         'lens code 3 is outside the calibrated 0 .. 2'),
        ('camera_matrix: [1, 2, 3]', 'camera_matrix[0] must be a list of numbers, not 1'),
        ('camera_matrix: [1, 2, 3, 4]', 'camera_matrix must be three rows of 3 numbers, or 9'),
        ('camera_matrix: [[1, 0], [0, 1], [0, 0]]', 'camera_matrix must be three rows of 3'),
        ('camera_matrix: [50, 3, 20, 0, 50, 16, 0, 0, 1]', 'must be [fx 0 cx; 0 fy cy; 0 0 1]'),
        ('camera_matrix: [50, 0, 20, 0, 50, 16, 0, 0, 0]', 'must be [fx 0 cx; 0 fy cy; 0 0 1]'),
        ('camera_matrix: [0, 0, 20, 0, 0, 16, 0, 0, 1]', 'positive fx, or be all zero'),
        ('camera_matrix: [-9, 0, 20, 0, 9, 16, 0, 0, 1]', 'fx and fy must both be positive'),
        (K + 'distortion: [1, 2, 3]', 'plumb_bob takes 4 or 5 coefficients, not 3'),
        (K + 'distortion: 0.1', 'distortion must be a list of numbers, not 0.1'),
        (K + 'distortion_model: odd', "distortion_model 'odd' is unknown"),
        ('distortion: [1, 2, 3, 4]', 'distortion needs a camera_matrix'),
        ('- 1', 'must hold keys and values, not a list'),
        ('focus_dpt: [1, 2', 'is not YAML'),
        ('1: 2', 'key 1 must be a string'),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(tmp_path: Path, yaml: str, message: str) -> None:
    with pytest.raises(SffError, match=re.escape(message)) as caught:
        read_stack(make_folder(tmp_path, 4, yaml))
    assert str(caught.value).startswith(f'{tmp_path / "stack.yaml"}: ')
    assert '\n' not in str(caught.value)


def drop_all(folder: Path) -> None:
    for path in folder.glob('*.png'):
        path.unlink()


def keep(count: int) -> Callable[[Path], None]:
    def drop(folder: Path) -> None:
        for path in sorted(folder.glob('*.png'))[count:]:
            path.unlink()

    return drop


def replace_slice_2(data: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / 'slice_2.png').write_bytes(data)

    return write


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (keep(0), 'has 0 images, a stack needs 3 or more'),
        (keep(1), 'has 1 image, a stack needs 3 or more'),
        (keep(2), 'has 2 images, a stack needs 3 or more'),
        (replace_slice_2(encode(texture(0, (16, 20, 3)))),
         'slice_2.png is 20x16 8-bit RGB, slice_0.png is 40x32 8-bit RGB'),
        (replace_slice_2(encode(texture(0, (32, 40)))),
         'slice_2.png is 40x32 8-bit grey, slice_0.png is 40x32 8-bit RGB'),
        (replace_slice_2(encode(texture(0, high=65535))),
         'slice_2.png is 40x32 16-bit RGB, slice_0.png is 40x32 8-bit RGB'),
        (replace_slice_2(encode(texture(0))[:300]), 'slice_2.png: is cut off'),
        (replace_slice_2(b''), 'slice_2.png: is empty'),
    ],
)  # fmt: skip
def test_bad_images_are_named(tmp_path: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(make_folder(tmp_path))
    with pytest.raises(StackError, match=re.escape(message)) as caught:
        read_stack(tmp_path)
    assert '\n' not in str(caught.value)


def test_a_path_that_is_not_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    for name, message in (('gone', 'No such file'), ('file', 'Not a directory')):
        with pytest.raises(StackError, match=f'{name}: is not a folder of images: {message}'):
            read_stack(tmp_path / name)


def test_a_large_stack_is_decoded_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder(tmp_path)
    monkeypatch.setattr(stack_folder, 'KEPT_BYTES', 4 * 40 * 32 * 3 - 1)
    stack = read_stack(tmp_path)
    assert stack.images is None
    np.testing.assert_array_equal(stack.image(3), texture(3))
    (tmp_path / 'slice_3.png').unlink()
    with pytest.raises(StackError, match=r'slice_3\.png: cannot be read'):
        stack.image(3)


def sweep(count: int, shape: tuple[int, ...], high: int, step_dpt: float) -> list[Slice]:
    return [
        Slice(texture(i, shape, high), LensState((i + 1) * step_dpt), 1000 + i, i, count)
        for i in range(count)
    ]


@pytest.mark.parametrize('shape', [(32, 40), (32, 40, 3)])
@pytest.mark.parametrize('high', [255, 65535])
@pytest.mark.parametrize('step_dpt', [1 / 3, np.nan])
@pytest.mark.parametrize(
    'intrinsics',
    [
        Intrinsics(40, 32),
        Intrinsics(40, 32, 50.1, 51.7, 19.3, 15.9),
        Intrinsics(40, 32, 50.1, 51.7, 19.3, 15.9, (0.1, -0.05, 1e-5, 0.0), 'equidistant'),
    ],
)
def test_a_written_stack_reads_back_the_same(
    tmp_path: Path, shape: tuple[int, ...], high: int, step_dpt: float, intrinsics: Intrinsics
) -> None:
    slices = sweep(12, shape, high, step_dpt)
    write_stack(tmp_path / 'new' / 'stack', slices, intrinsics)
    stack = read_stack(tmp_path / 'new' / 'stack')
    assert stack.intrinsics == intrinsics
    np.testing.assert_array_equal(stack.focus_dpt, [s.focus_dpt for s in slices])
    for i, slice_ in enumerate(slices):
        np.testing.assert_array_equal(stack.image(i), slice_.image)
    assert len(stack.paths) == 12


def test_a_stack_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slices = sweep(4, (32, 40), 255, 1.0)
    written: list[Path] = []

    def fill_the_disk(path: Path, image: object) -> None:
        if len(written) == 2:
            raise OSError(28, 'No space left on device')
        path.touch()
        written.append(path)

    monkeypatch.setattr(stack_folder, 'write_png', fill_the_disk)
    with pytest.raises(StackError, match='stack: cannot be written: No space left on device'):
        write_stack(tmp_path / 'stack', slices, Intrinsics(40, 32))
    assert len(written) == 2
    assert list(tmp_path.iterdir()) == []


def test_write_stack_refuses_what_it_cannot_give_back(tmp_path: Path) -> None:
    slices = sweep(4, (32, 40), 255, 1.0)
    with pytest.raises(CalibrationError, match='for 80x64, the slices are 40x32'):
        write_stack(tmp_path / 'a', slices, Intrinsics(80, 64))
    with pytest.raises(StackError, match='3 slices or more, not 2'):
        write_stack(tmp_path / 'a', slices[:2], Intrinsics(40, 32))
    odd = replace(slices[3], lens=LensState(2.5))
    with pytest.raises(StackError, match='monotonic'):
        write_stack(tmp_path / 'a', [*slices[:3], odd], Intrinsics(40, 32))
    (tmp_path / 'b').mkdir()
    with pytest.raises(StackError, match='b: exists already'):
        write_stack(tmp_path / 'b', slices, Intrinsics(40, 32))
    assert [path.name for path in tmp_path.iterdir()] == ['b']


def test_the_shipped_stack_is_whole() -> None:
    stack = read_stack(DOME)
    assert len(stack.paths) == 12
    assert stack.image(0).shape == (154, 205, 3)
    # The sharp region moves from the rim to the top.
    windows = {
        'rim': (slice(0, 154), slice(35, 70)),
        'side': (slice(20, 50), slice(80, 130)),
        'top': (slice(60, 95), slice(90, 125)),
    }
    sharpest = {
        name: np.argmax(
            [np.abs(cv2.Laplacian(stack.image(i)[window], cv2.CV_32F)).mean() for i in range(12)]
        )
        for name, window in windows.items()
    }
    assert sharpest == {'rim': 3, 'side': 5, 'top': 9}


@pytest.mark.parametrize(
    ('name', 'count', 'size', 'first', 'last'),
    [
        ('desk_webcam', 52, (640, 480), 'frame_000.jpg', 'frame_255.jpg'),
        ('relief_1', 41, (400, 400), 'slice_000.jpg', 'slice_040.jpg'),
        ('pcb_oblique', 7, (1024, 768), 'slice_000.jpg', 'slice_006.jpg'),
    ],
)
def test_real_folders_open(
    shared_stacks: Path, name: str, count: int, size: tuple[int, int], first: str, last: str
) -> None:
    stack = read_stack(shared_stacks / name)
    assert (len(stack.paths), stack.intrinsics) == (count, Intrinsics(*size))
    assert (stack.paths[0].name, stack.paths[-1].name) == (first, last)
