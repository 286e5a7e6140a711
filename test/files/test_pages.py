"""The pages of one TIFF as a sweep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hand_made_tiff import tiff
from stack_files import encode, texture

from sff_ros.cli.main import main
from sff_ros.errors import StackError
from sff_ros.files import stack as stack_folder
from sff_ros.files.image import read_image
from sff_ros.files.stack import read_stack

COUNT = 12
IMAGES = [texture(i, (32, 40)) for i in range(COUNT)]
OME = '<OME><Pixels DimensionOrder="XYCZT" SizeC="{}" SizeT="1" SizeZ="{}" SizeX="40"/></OME>'


def written(folder: Path, data: bytes, name: str = 'pos_0.ome.tif') -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize('by_folder', [False, True])
@pytest.mark.parametrize('kept', [False, True])
def test_every_page_is_a_slice_in_the_order_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool, by_folder: bool
) -> None:
    monkeypatch.setattr(stack_folder, 'KEPT_BYTES', 10**9 if kept else 0)
    file = written(tmp_path, tiff(IMAGES) + OME.format(1, COUNT).encode())
    focus = list(np.linspace(1, 5, COUNT))
    (tmp_path / 'stack.yaml').write_text(f'focus_dpt: {[float(value) for value in focus]}')
    stack = read_stack(file.parent if by_folder else file, all_pages=True)
    assert stack.names[::11] == ('image 1 of pos_0.ome.tif', 'image 12 of pos_0.ome.tif')
    assert len(stack.focal_stack().slices) == COUNT
    for index, image in enumerate(IMAGES):
        np.testing.assert_array_equal(stack.image(index), image)
    np.testing.assert_allclose(stack.focus_dpt, focus)


def test_pages_are_read_as_stored_and_without_thumbnails(tmp_path: Path) -> None:
    pages, tags = [], []
    for image in IMAGES[:3]:
        pages += [image, image[:16, :20]]
        tags += [{274: 6}, {254: 1}]
    stack = read_stack(written(tmp_path, tiff(pages, tags)), all_pages=True)
    assert len(stack.paths) == 3
    for index in range(3):
        np.testing.assert_array_equal(stack.image(index), IMAGES[index])


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        (tiff(IMAGES[:2]), 'pos_0.ome.tif: holds 2 images, a stack needs 3 or more'),
        (encode(IMAGES[0]), 'pos_0.ome.tif: is not a TIFF: only these have several pages'),
        (tiff(IMAGES)[:-60], 'pos_0.ome.tif: is cut off: image 12 is missing'),
        (tiff([*IMAGES, texture(0, (20, 40))]),
         'image 13 of pos_0.ome.tif is 40x20 8-bit grey, image 1 of pos_0.ome.tif is 40x32'),
        (tiff(IMAGES) + OME.format(2, 6).encode(), r'several axes \(C 2, Z 6\): save one sweep'),
        (tiff(IMAGES) + b'ImageJ=1.53\nimages=12\nchannels=3\nslices=4\n',
         r'several axes \(channels 3, slices 4\)'),
    ],
)  # fmt: skip
def test_files_that_are_not_one_sweep_are_refused(
    tmp_path: Path, data: bytes, message: str
) -> None:
    with pytest.raises(StackError, match=message):
        read_stack(written(tmp_path, data), all_pages=True)


@pytest.mark.parametrize(('data', 'count'), [(tiff(IMAGES), 12), (encode(IMAGES[0]), 0)])
def test_a_page_that_is_not_there_is_missing(tmp_path: Path, data: bytes, count: int) -> None:
    file = written(tmp_path, data)
    with pytest.raises(StackError, match=f'image 13 is missing: the file holds {count}'):
        read_image(file, 12)


def test_one_file_is_taken(tmp_path: Path) -> None:
    written(tmp_path, tiff(IMAGES))
    written(tmp_path, tiff(IMAGES), 'pos_1.ome.tif')
    with pytest.raises(StackError, match='has 2 images, name the one TIFF to be read'):
        read_stack(tmp_path, all_pages=True)
    with pytest.raises(StackError, match=r'gone\.tif: is not a folder of images: No such file'):
        read_stack(tmp_path / 'gone.tif', all_pages=True)


def test_sff_depth_takes_the_pages_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / 'in', tiff(IMAGES))
    for i, image in enumerate(IMAGES):
        written(tmp_path / 'apart', encode(image), f'slice_{i}.png')
    how = ['--page', 'all', '--backend', 'peak']
    assert main(['depth', str(file), '--out', str(tmp_path / 'in'), *how]) == 1
    assert 'in is the input folder' in capsys.readouterr().err
    assert main(['depth', str(file), '--out', str(tmp_path / 'out'), *how]) == 0
    assert 'order: image' not in capsys.readouterr().err
    apart = ['depth', str(tmp_path / 'apart'), '--out', str(tmp_path / 'same')]
    assert main([*apart, '--backend', 'peak']) == 0
    for name in ('index.tiff', 'confidence.tiff'):
        assert (tmp_path / 'out' / name).read_bytes() == (tmp_path / 'same' / name).read_bytes()
    written(tmp_path / 'in', tiff(IMAGES), 'pos_1.tif')
    written(tmp_path / 'in', tiff(IMAGES), 'pos_2.tif')
    assert main(['depth', str(tmp_path / 'in'), '--out', str(tmp_path / 'out')]) == 1
    assert (
        'pos_0.ome.tif: holds 12 images, a slice is a file with one; `sff depth --page all` '
        in capsys.readouterr().err
    )
