"""What `sff depth` needs for a stack of large images."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from stack_files import run_python

WIDTH, HEIGHT, COUNT = 3000, 2000, 20
LIMIT_BYTES = 1.5e9
# VmHWM and not ru_maxrss, which begins with what the parent had.
PROGRAM = """
import sys
from sff_ros.cli.main import main
code = main(sys.argv[1:])
line = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))
print(line.split()[1])
sys.exit(code)
"""


@pytest.fixture(scope='module')
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 20 images of 6 megapixels, of a ramp with a plain stripe, with noise."""
    folder = tmp_path_factory.mktemp('six_megapixels')
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    sharp = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.0))
    sharp = cv2.normalize(sharp, np.empty_like(sharp), 20, 235, cv2.NORM_MINMAX)
    sharp[HEIGHT // 3 : HEIGHT // 2] = 128
    soft = [sharp, *(cv2.GaussianBlur(sharp, (0, 0), float(blur)) for blur in range(1, COUNT))]
    place = np.linspace(0, COUNT - 1, WIDTH)
    for index in range(COUNT):
        image = np.empty_like(sharp)
        blur = np.rint(np.abs(place - index)).astype(int)
        for level in range(COUNT):
            image[:, blur == level] = soft[level][:, blur == level]
        image = cv2.add(image, rng.integers(0, 12, image.shape).astype(np.uint8))
        cv2.imwrite(str(folder / f'slice_{index:02}.jpg'), image)
    return folder


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
@pytest.mark.parametrize('backend', ['peak', 'onnx'])
def test_six_megapixels_take_less_than_1500_mb(stack: Path, tmp_path: Path, backend: str) -> None:
    if backend == 'onnx':
        pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
    how = ['depth', str(stack), '--out', str(tmp_path / 'out'), '--backend', backend]
    done = run_python('-c', PROGRAM, *how)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) * 1024 < LIMIT_BYTES
    index = np.asarray(cv2.imread(str(tmp_path / 'out' / 'index.tiff'), cv2.IMREAD_UNCHANGED))
    error = np.abs(index - np.linspace(0, COUNT - 1, WIDTH)[None])
    assert error[HEIGHT // 2 + 100 :, 100:-100].mean() < 0.3
