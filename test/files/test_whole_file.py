"""A file is written as a whole or not at all, whatever happens on the way."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_disk import REPOSITORY, on_small_disk

from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import LensCalibration
from sff_ros.core.optics.lens_table import LensTable
from sff_ros.errors import CalibrationError
from sff_ros.files.camera_info import write_camera_info
from sff_ros.files.export import write_npy, write_ply, write_tiff
from sff_ros.files.image import write_png
from sff_ros.files.lens_yaml import write_lens
from sff_ros.files.unfinished import drop_leftovers, new_file, new_folder
from sff_ros.files.whole_file import write_file
from sff_ros.training.history import COLUMNS, History

IMAGE = np.zeros((4, 5), np.uint8)
MAP = np.ones((4, 5), np.float32)
LENS = LensCalibration(LensTable((0.0, 1.0), (0.0, 2.0)), Intrinsics(640, 480))
WRITERS: dict[str, Callable[[Path], object]] = {
    'text': lambda path: write_file(path, 'new'),
    'camera_info': lambda path: write_camera_info(path, Intrinsics(640, 480)),
    'lens': lambda path: write_lens(path, LENS),
    'png': lambda path: write_png(path, IMAGE),
    'tiff': lambda path: write_tiff(path, MAP),
    'npy': lambda path: write_npy(path, MAP),
    'ply': lambda path: write_ply(path, np.ones((1, 1, 3), np.float32), IMAGE[:1, :1]),
}


@pytest.mark.parametrize('name', WRITERS)
def test_on_a_full_disk_the_old_file_stays(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'file'
    path.write_text('old')

    def fill_the_disk(_: int) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', fill_the_disk)
        with pytest.raises((OSError, CalibrationError)) as caught:
            WRITERS[name](path)
    assert 'No space left on device' in str(caught.value)
    assert str(path) in str(caught.value)
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['file']
    WRITERS[name](path)
    assert path.read_bytes() != b'old'


FULL = """
import os
from pathlib import Path
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.errors import CalibrationError
from sff_ros.files.camera_info import read_camera_info, write_camera_info
known = Intrinsics(640, 480, 500.0, 500.0, 320.0, 240.0)
write_camera_info(Path('camera.yaml'), known)
try:
    with open('filler', 'wb', buffering=0) as filler:
        while True:
            filler.write(bytes(512))
except OSError:
    pass
try:
    write_camera_info(Path('camera.yaml'), Intrinsics(640, 480))
except CalibrationError as err:
    print(err)
print(read_camera_info(Path('camera.yaml')) == known, sorted(os.listdir()))
"""


def test_a_calibration_survives_a_full_disk(tmp_path: Path) -> None:
    assert on_small_disk(tmp_path, FULL).splitlines() == [
        'camera.yaml: cannot be written: No space left on device',
        "True ['camera.yaml', 'filler']",
    ]


MOUNTED = """
import subprocess
from pathlib import Path
from sff_ros.files.whole_file import write_file
Path('mounted').touch()
Path('source').write_text('old')
subprocess.run(['mount', '--bind', 'source', 'mounted'], check=True)
try:
    write_file(Path('mounted'), 'new')
except OSError as err:
    print(err.strerror)
print(Path('mounted').read_text())
"""


def test_a_file_that_is_a_mount_point_says_what_helps(tmp_path: Path) -> None:
    assert on_small_disk(tmp_path, MOUNTED).splitlines() == [
        'is a mount point: mount its folder instead',
        'old',
    ]


def test_a_new_file_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_file(tmp_path / 'new', 'x')
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / 'new').stat().st_mode) == 0o640


def test_an_existing_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / 'old'
    path.write_text('old')
    path.chmod(0o604)
    write_file(path, b'new')
    assert path.read_text() == 'new'
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / 'there').mkdir()
    link = tmp_path / 'link'
    link.symlink_to(Path('there') / 'file')
    for content in ('first', 'second'):
        write_file(link, content)
        assert link.is_symlink()
        assert (tmp_path / 'there' / 'file').read_text() == content


def test_a_device_or_pipe_is_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / 'pipe'
    os.mkfifo(pipe)
    with pytest.raises(OSError, match='is not a regular file'):
        write_file(pipe, 'x')
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with pytest.raises(IsADirectoryError):
        write_file(tmp_path, 'x')


def test_a_write_protected_file_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'old'
    path.write_text('old')
    monkeypatch.setattr(os, 'access', lambda *_: False)  # root may write everything
    with pytest.raises(PermissionError, match='Permission denied'):
        write_file(path, 'new')
    assert path.read_text() == 'old'


def test_a_missing_folder_is_told_by_the_name_that_was_given(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        write_file(tmp_path / 'none' / 'file', 'x')
    assert str(caught.value) == f"[Errno 2] No such file or directory: '{tmp_path}/none/file'"


KILLED = """
import os, signal, sys
from pathlib import Path
from sff_ros.files.whole_file import write_file
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
write_file(Path(sys.argv[1]), 'new')
"""


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / 'file'
    path.write_text('old')
    environment = {**os.environ, 'PYTHONPATH': str(REPOSITORY)}
    command = [sys.executable, '-c', KILLED, str(path)]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    (left,) = tmp_path.glob('.sff_*.part')
    assert path.read_text() == 'old'
    write_file(path, 'newer')
    assert not left.exists()
    assert path.read_text() == 'newer'


def test_what_is_being_written_is_no_leftover(tmp_path: Path) -> None:
    file, file_lock = new_file(tmp_path)
    folder, folder_lock = new_folder(tmp_path)
    (folder / 'inside').write_text('x')
    drop_leftovers(tmp_path)
    assert file.exists()
    assert (folder / 'inside').exists()
    os.close(file_lock)
    os.close(folder_lock)
    (tmp_path / '.sff_notes').write_text("a user's")
    drop_leftovers(tmp_path)
    assert os.listdir(tmp_path) == ['.sff_notes']


def test_a_missing_folder_has_no_leftovers(tmp_path: Path) -> None:
    drop_leftovers(tmp_path / 'none')


def test_the_history_of_a_training_is_written_as_a_whole(tmp_path: Path) -> None:
    pytest.importorskip('matplotlib')
    history = History(tmp_path)
    history.add(**dict.fromkeys(COLUMNS, 1.0))
    assert history.rows() == [dict.fromkeys(COLUMNS, 1.0)]
    assert sorted(os.listdir(tmp_path)) == ['history.csv', 'history.png']
