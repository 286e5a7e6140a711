"""Both graphs go through TensorRT's own parser and builder, which for RTX need no GPU.

What is compiled here is what a robot compiles: strongly typed, of static shapes, fp32 and fp16.
Nothing is run: for that there is `sff doctor`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sff_ros.errors import ModelError
from sff_ros.inference.onnx_file import Graph, read_graph
from sff_ros.inference.shipped import shipped_model
from sff_ros.inference.tensorrt.backend import network_shapes
from sff_ros.inference.tensorrt.build import build_engine, load_engine, message_log

REASON = 'tensorrt-rtx is not installed'
trt = pytest.importorskip('tensorrt_rtx', reason=REASON)

SIZE = (480, 640)
FILES = ('fast_gru.onnx', 'fast_gru_fp16.onnx', 'ddl.onnx')
GPUS = ('SM86', 'SM89', 'SM120')  # RTX 30, RTX 40, RTX 50; Orin's 8.7 is not among those known


@pytest.fixture(scope='session')
def models(request: pytest.FixtureRequest) -> Path:
    """Folder of the shipped files, or of those of a network made of noise."""
    try:
        folders = {shipped_model(name).parent for name in FILES}
        return folders.pop()
    except ModelError:
        noisy: Path = request.getfixturevalue('noisy_models')
        return noisy


def graph_of(folder: Path, file: str) -> Graph:
    return read_graph(folder / file, file.split('.')[0].removesuffix('_fp16'))


def shapes_of(graph: Graph) -> dict[str, tuple[int, ...]]:
    return (
        {'image': (1, 3, *SIZE)} if graph.card.name == 'ddl' else network_shapes(SIZE, graph.card)
    )


@pytest.mark.parametrize('gpu', GPUS)
@pytest.mark.parametrize('file', FILES)
def test_a_graph_compiles(models: Path, file: str, gpu: str) -> None:
    graph = graph_of(models, file)
    shares: list[float] = []
    engine = build_engine(trt, graph.content, shapes_of(graph), shares.append, gpu)
    # All weights are in there; and the build reported progress.
    assert len(engine) > 0.5 * len(graph.content)
    assert engine[:4] != graph.content[:4]
    assert shares == sorted(shares)
    assert len(shares) > 20
    assert shares[-1] > 0.7


def test_tensorrt_takes_the_types_from_the_graph(models: Path) -> None:
    """A strongly typed network has the types that it will run in: the trunks fp16, sums fp32."""
    log = message_log(trt)
    builder = trt.Builder(log)
    flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(flags)
    parser = trt.OnnxParser(network, log)
    assert parser.parse((models / FILES[1]).read_bytes()), log.errors
    types: dict[str, set[str]] = {}
    for place in range(network.num_layers):
        layer = network.get_layer(place)
        types.setdefault(layer.type.name, set()).add(layer.get_output(0).dtype.name)
    assert types['CONVOLUTION'] == {'HALF'}
    assert types['REDUCE'] == types['UNARY'] == {'FLOAT'}  # sums and means; exp, log, absolute
    outputs = [network.get_output(place) for place in range(network.num_outputs)]
    assert [(o.name, o.dtype.name) for o in outputs] == [
        ('position', 'FLOAT'),
        ('scale', 'FLOAT'),
    ]


POLYGRAPHY = """
import sys
from pathlib import Path
from polygraphy.backend.trt import EngineBytesFromNetwork, NetworkFromOnnxBytes, Profile
from polygraphy.backend.tensorrt_rtx import CreateConfigRTX
profile = Profile()
for spec in sys.argv[2:]:
    name, _, sides = spec.partition('=')
    shape = tuple(int(side) for side in sides.split('x'))
    profile.add(name, min=shape, opt=shape, max=shape)
network = NetworkFromOnnxBytes(Path(sys.argv[1]).read_bytes(), strongly_typed=True)
config = CreateConfigRTX(compute_capabilities=[(8, 9)], profiles=[profile])
print('bytes', len(bytes(EngineBytesFromNetwork(network, config)())))
"""


@pytest.mark.parametrize('file', FILES)
def test_polygraphy_compiles_it_as_well(models: Path, file: str) -> None:
    pytest.importorskip('polygraphy', reason='polygraphy is not installed')
    shapes = shapes_of(graph_of(models, file))
    specs = [f'{name}={"x".join(map(str, shape))}' for name, shape in shapes.items()]
    done = subprocess.run(
        [sys.executable, '-c', POLYGRAPHY, str(models / file), *specs],
        capture_output=True,
        text=True,
        env={**os.environ, 'POLYGRAPHY_USE_TENSORRT_RTX': '1'},
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split('bytes')[-1]) > 0.5 * (models / file).stat().st_size


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (lambda raw: raw[: len(raw) // 2], 'TensorRT cannot read the graph: '),
        (lambda raw: b'no graph', 'TensorRT cannot read the graph: '),
    ],
)
def test_a_damaged_graph_is_an_error(models: Path, content: Any, words: str) -> None:
    graph = graph_of(models, 'ddl.onnx')
    with pytest.raises(ModelError) as caught:
        build_engine(trt, content(graph.content), shapes_of(graph), lambda _: None, 'SM86')
    assert str(caught.value).startswith(words)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('shapes', 'words'),
    [
        ({'other': (1, 3, 64, 64)}, 'the graph takes image; expected other'),
        ({'image': (1, 1, 64, 64)}, 'image is (1, 3, -1, -1) in the graph; expected (1, 1, 64'),
        ({'image': (3, 64, 64)}, 'image is (1, 3, -1, -1) in the graph; expected (3, 64, 64)'),
    ],
)
def test_other_inputs_are_an_error(
    models: Path, shapes: dict[str, tuple[int, ...]], words: str
) -> None:
    graph = graph_of(models, 'ddl.onnx')
    with pytest.raises(ModelError) as caught:
        build_engine(trt, graph.content, shapes, lambda _: None, 'SM86')
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize('plan', [b'', b'no engine', b'ptrt' + bytes(10000)])
def test_a_foreign_engine_is_an_error(plan: bytes) -> None:
    with pytest.raises(ModelError, match=r'TensorRT cannot load the engine: .+'):
        load_engine(trt, plan)
