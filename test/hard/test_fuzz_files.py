"""Damaged files: every loader reads them, or refuses them in one line."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from fuzzing import MARKS, damaged, fuzz, refusal, spoilt, st, values
from stack_files import encode, make_folder, texture

from sff_ros.cameras.ros_driver.settings import parse_settings
from sff_ros.cli.arguments import read_capture_config
from sff_ros.config.nodes import NODE_CONFIGS
from sff_ros.config.schema import from_flat, walk
from sff_ros.files.camera_info import read_camera_info
from sff_ros.files.depth_map import read_map
from sff_ros.files.image import page_count, read_image
from sff_ros.files.lens_yaml import read_lens
from sff_ros.files.order import in_order, twins, unclear_order
from sff_ros.files.stack import read_stack
from sff_ros.inference.onnx_file import read_graph
from sff_ros.inference.peak import PeakBackend
from sff_ros.pipeline import ShapeFromFocus, SweepSetup

pytestmark = MARKS

MODELS = Path(__file__).resolve().parents[2] / 'models'
TOKENS = (
    b'nan', b'.inf', b'-1', b'1e300', b'9' * 400, b'[]', b'{}', b'~', b'&a', b'*a', b'!!binary x',
    b'? ', b': ', b'- ', b'\t', b'\n', b'%YAML 1.0', b'2020-01-01', b'0x1F', b"'", b'"', b'\x00',
    b'\xff', b'<<: *a', b'!!python/object:os.system', b'---', b'yes',
)  # fmt: skip
K = [[50.0, 0.0, 20.0], [0.0, 50.0, 16.0], [0.0, 0.0, 1.0]]
CAMERA_INFO = {
    'image_width': 40,
    'image_height': 32,
    'camera_name': 'sff',
    'camera_matrix': {'rows': 3, 'cols': 3, 'data': [50, 0, 20, 0, 50, 16, 0, 0, 1]},
    'distortion_model': 'plumb_bob',
    'distortion_coefficients': {'rows': 1, 'cols': 5, 'data': [0.1, -0.2, 0.0, 0.0, 0.1]},
    'rectification_matrix': {'rows': 3, 'cols': 3, 'data': [1, 0, 0, 0, 1, 0, 0, 0, 1]},
}
LENS = {
    'device': 'USB 1.2',
    'image_width': 40,
    'image_height': 32,
    'camera_matrix': K,
    'distortion': [0.1, -0.2, 0.0, 0.0],
    'distortion_model': 'plumb_bob',
    'backlash': 12.5,
    'settle_s': 0.045,
    'lag_s': 0.01,
    'centre_px': [20.0, 16.0],
    'field_dpt': -1.25,
    'residual_dpt': 0.01,
    'optics': {'focal_mm': 8.0, 'fnumber': 2.0, 'pitch_um': 5.5},
    'lens': {'codes': [10, 500, 900], 'dioptres': [0.5, 2.25, 4.5], 'scales': [0.99, 1.0, 1.02]},
}
STACKS = (
    {
        'focus_dpt': [0.5, 1.0, 2.0, 4.0],
        'scales': [0.99, 1.0, 1.01, 1.02],
        'centre_px': [20.0, 16.0],
        'field_dpt': 0.5,
        'residual_dpt': 0.01,
        'camera_matrix': K,
        'distortion': [0.1, -0.2, 0.0, 0.0],
        'distortion_model': 'plumb_bob',
    },
    {'focus_m': [0.5, 1.0, 2.0, float('inf')], 'lens_codes': [1, 2, 3, 4]},
    {
        'lens_codes': [20, 200, 400, 800],
        'position_codes': [21, 201, 401, 801],
        'lens': {'codes': [0, 1000], 'dioptres': [0.5, 4.5], 'scales': [0.98, 1.02]},
    },
)
PARAMETERS = {
    'capture_node': {
        'ros__parameters': {
            'camera': 'simulated',
            'sweep': {'near_m': 0.3, 'far_m': 0.8, 'num_slices': 15, 'positions_dpt': []},
            'lens.file': 'lens.yaml',
        }
    },
    '/**': {'ros__parameters': {'frame_id': 'lens'}},
}
SUFFIXES = ('.png', '.jpg', '.tif', '.bmp', '.webp', '.pgm', '.ppm')


def texts(tree: Any) -> Any:
    """Return a strategy of the text of a YAML file, damaged by letters or by values."""
    written = yaml.safe_dump(tree, sort_keys=False).encode()
    odd = spoilt(tree).map(lambda changed: yaml.safe_dump(changed, allow_unicode=True).encode())
    return st.one_of(damaged(written, TOKENS), odd)


@pytest.mark.parametrize(
    ('read', 'tree'), [(read_camera_info, CAMERA_INFO), (read_lens, LENS)], ids=['info', 'lens']
)
def test_calibrations(tmp_path: Path, read: Callable[[Path], Any], tree: Any) -> None:
    def check(content: bytes) -> None:
        (tmp_path / 'file.yaml').write_bytes(content)
        with refusal():
            read(tmp_path / 'file.yaml')

    fuzz(check, texts(tree), 400)


def test_parameter_files(tmp_path: Path) -> None:
    def check(content: bytes) -> None:
        (tmp_path / 'file.yaml').write_bytes(content)
        with refusal():
            read_capture_config(argparse.Namespace(params_file=[tmp_path / 'file.yaml'], param=[]))

    fuzz(check, texts(PARAMETERS), 400)


def test_parameters_on_a_command_line() -> None:
    names = st.sampled_from([name for name, *_ in walk(NODE_CONFIGS['capture_node'])])
    words = st.one_of(
        st.text(max_size=12), st.sampled_from([token.decode('latin1') for token in TOKENS])
    )

    def check(given: tuple[str, str]) -> None:
        with refusal():
            read_capture_config(argparse.Namespace(params_file=[], param=[':='.join(given)]))
        with refusal():
            parse_settings('='.join(given))

    fuzz(check, st.tuples(st.one_of(names, words), words), 300)


@pytest.mark.parametrize('node', NODE_CONFIGS)
def test_parameters(node: str) -> None:
    cls = NODE_CONFIGS[node]
    names = st.sampled_from([name for name, *_ in walk(cls)])
    lists = st.lists(values, max_size=4).map(tuple)

    def check(given: dict[str, Any]) -> None:
        with refusal():
            from_flat(cls, given)

    fuzz(check, st.dictionaries(names, st.one_of(values, lists), max_size=3), 300)


@pytest.mark.parametrize('tree', STACKS, ids=['dpt', 'metres', 'codes'])
def test_stacks(tmp_path: Path, tree: Any) -> None:
    folder = make_folder(tmp_path / 'stack')

    def check(content: bytes) -> None:
        (folder / 'stack.yaml').write_bytes(content)
        with refusal():
            stack = read_stack(folder)
            setup = SweepSetup(stack.intrinsics)
            found = ShapeFromFocus(PeakBackend()).estimate(stack, setup)
            focus = stack.focus_dpt
            if stack.has_focus and found.dioptres is not None and not stack.lens[0].field_dpt:
                known = found.dioptres[np.isfinite(found.dioptres)]
                assert (known >= focus.min() - 1e-3).all()
                assert (known <= focus.max() * 1.001 + 1e-3).all()

    fuzz(check, texts(tree), 60)


@pytest.mark.parametrize('suffix', SUFFIXES)
@pytest.mark.parametrize('high', [255, 4095])
def test_images(tmp_path: Path, suffix: str, high: int) -> None:
    if high > 255 and suffix not in ('.png', '.tif', '.pgm', '.ppm'):
        pytest.skip(f'{suffix} has 8 bits')
    path = tmp_path / f'image{suffix}'
    shape = (24, 20) if suffix == '.pgm' else (24, 20, 3)

    def check(content: bytes) -> None:
        path.write_bytes(content)
        for page in (None, 0, 1):
            with refusal():
                image = read_image(path, page)
                assert image.dtype in (np.uint8, np.uint16)
        with refusal():
            page_count(path)
        if suffix in ('.png', '.tif'):
            with refusal():
                assert read_map(path).dtype == np.float32

    fuzz(check, damaged(encode(texture(0, shape, high), suffix)), 150)


def test_pages(tmp_path: Path) -> None:
    path = tmp_path / 'pages.tif'
    _, data = cv2.imencodemulti('.tif', [texture(i, (24, 20)) for i in range(4)])

    def check(content: bytes) -> None:
        path.write_bytes(content)
        with refusal():
            read_stack(path, all_pages=True)

    fuzz(check, damaged(bytes(data)), 150)


def test_maps(tmp_path: Path) -> None:
    written = io.BytesIO()
    np.save(written, np.linspace(0, 1, 30, dtype=np.float32).reshape(5, 6))

    def check(content: bytes) -> None:
        (tmp_path / 'map.npy').write_bytes(content)
        with refusal():
            assert read_map(tmp_path / 'map.npy').ndim == 2

    words = (b'(', b')', b"'", b'{', b'f8', b'O', b'(9999999999, 9)', b'\x93NUMPY', b'True')
    fuzz(check, damaged(written.getvalue(), words), 300)


@pytest.mark.parametrize('sidecar', [True, False])
def test_models(tmp_path: Path, sidecar: bool) -> None:
    graph, card = (MODELS / 'ddl.onnx').read_bytes(), (MODELS / 'ddl.onnx.json').read_bytes()
    path, beside = tmp_path / 'ddl.onnx', tmp_path / 'ddl.onnx.json'
    path.write_bytes(graph)

    def check(content: bytes) -> None:
        (beside if sidecar else path).write_bytes(content)
        with refusal():
            assert read_graph(path, 'ddl').content == path.read_bytes()

    fuzz(check, damaged(card, TOKENS) if sidecar else damaged(graph), 200 if sidecar else 60)


def test_names_of_images() -> None:
    part = st.one_of(
        st.text(max_size=6), st.from_regex(r'[-+]?[0-9]*\.?[0-9]+(e[-+]?[0-9]+)?(mm|dpt)?')
    )
    names = st.lists(st.tuples(part, part).map(lambda pair: f'{pair[0]}{pair[1]}.png'), max_size=8)

    def check(given: list[str]) -> None:
        assert sorted(in_order(given)) == sorted(given)
        twins(given)
        unclear_order(given)

    fuzz(check, names, 100)
