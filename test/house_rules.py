"""Rules on imports and on the length of files and functions (docs/design.md)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatch

from file_rules import file_breaches, home_breaches, quote_breaches

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60

# Room -> the rooms that it may import besides itself. A room is a folder or file of sff_ros, or
# one of these folders in it, which know each other no further than said here.
BASE = ('errors', 'config')
# All of core but core/depth: depth_pipeline alone makes metres.
CORE = (
    'core', 'core/sweep', 'core/optics', 'core/focus', 'core/alignment', 'core/calibration',
)  # fmt: skip
CAMERAS = ('cameras', 'cameras/v4l2', 'cameras/ros_driver', 'cameras/simulated')
INFERENCE = ('inference', 'inference/tensorrt')
NETWORK = ('network', 'network/paper')
TRAINING = ('training', 'training/drawing', 'training/traced')
PIPELINES = ('sweep_trail', 'pipeline', 'depth_pipeline')
CLI = ('cli', 'cli/report', 'cli/evaluation')
ROOMS = {
    '__init__': ('api', 'files', *CORE, *INFERENCE, *PIPELINES, *BASE),  # of sff_ros itself
    'api': ('files', *CORE, *INFERENCE, *PIPELINES, *BASE),
    'errors': (),
    'config': ('errors',),
    'middleware': ('errors',),
    'core': ('errors',),
    'core/sweep': ('errors', 'core'),
    'core/optics': ('errors', 'core'),
    'core/focus': ('errors', 'core'),
    'core/alignment': ('errors', 'core', 'core/sweep'),
    'core/depth': ('errors', 'core', 'core/optics'),
    'core/calibration': ('errors', 'core', 'core/optics', 'core/focus', 'core/sweep'),
    'files': (*CORE, *BASE),
    'cameras': ('files', *CORE, *BASE),
    'cameras/v4l2': ('cameras', 'files', *CORE, *BASE),
    'cameras/ros_driver': ('cameras', 'files', 'middleware', *CORE, *BASE),
    'cameras/simulated': ('cameras', 'files', *CORE, *BASE),
    'inference': ('files', *CORE, *BASE),
    'inference/tensorrt': ('inference', 'files', *CORE, *BASE),
    'network': ('files', *CORE, *BASE),
    'network/paper': ('network', *CORE, *BASE),
    'training': ('training/drawing', 'training/traced', 'files', *CORE, *NETWORK, *BASE),
    'training/drawing': ('files', *CORE, *BASE),
    'training/traced': ('training/drawing', 'files', *CORE, *BASE),
    'sweep_trail': ('files', *CORE, 'errors'),
    'pipeline': ('sweep_trail', 'files', *CORE, *CAMERAS, *INFERENCE, *BASE),
    'depth_pipeline': ('core', 'core/optics', 'core/depth', 'pipeline', *BASE),
    'nodes': ('files', 'middleware', *CORE, *CAMERAS, *INFERENCE, *PIPELINES, *BASE),
    'cli': (
        'files', 'middleware', *CORE, *CAMERAS, *INFERENCE, *NETWORK, *TRAINING, *PIPELINES, *CLI,
        *BASE,
    ),
    'cli/report': ('files', *CORE, *BASE, 'cli/evaluation'),
    'cli/evaluation': ('files', *CORE, *INFERENCE, *PIPELINES, *BASE),
}  # fmt: skip

# (file pattern, module) beyond the table above: the demo watches the nodes that it starts, and
# one backend runs the network itself; a cloud message has the layout of core's points.
EXCEPTIONS = (
    ('nodes/messages.py', 'sff_ros.core.depth.cloud.POINT_STEP'),
    ('cli/demo.py', 'sff_ros.nodes.observer'),
    ('cli/report/demo_report.py', 'sff_ros.nodes.observer'),
    ('inference/torch.py', 'sff_ros.network'),
)

# (file pattern, module): what a room that may import the rest must not know.
NEVER = (
    ('nodes/*', 'sff_ros.core.calibration'),
    ('nodes/*', 'sff_ros.core.optics.rendering'),
    ('training/drawing/*', 'torch'),
    ('training/traced/*', 'torch'),
)

# Package (pattern) -> the only files of sff_ros that may import it (patterns).
ROS_FILES = ('nodes/*', 'cameras/ros_driver/*')
PACKAGES = {
    'rclpy': (*ROS_FILES, 'middleware/start.py'),
    '*_msgs': ROS_FILES,
    '*_interfaces': ROS_FILES,
    'std_srvs': ROS_FILES,
    'tf2_ros': ROS_FILES,
    'message_filters': ROS_FILES,
    'cv_bridge': ('nodes/messages.py',),
    'sensor_msgs_py': ('nodes/messages.py',),
    'torch': ('network/*', 'training/*', 'inference/torch.py'),
    'onnx': ('network/export.py', 'network/fp16.py'),
    'onnxruntime': ('inference/onnx.py', 'network/export.py'),
    'safetensors': ('network/*',),
    'tensorrt': ('inference/tensorrt/*',),
    'tensorrt_rtx': ('inference/tensorrt/*',),
    'polygraphy': ('inference/tensorrt/*',),
    'cuda': ('inference/tensorrt/program.py',),
    'ctypes': ('cameras/v4l2/*',),
    'mitsuba': ('training/traced/*',),
    'drjit': ('training/traced/*',),
}

CORE_PACKAGES = ('numpy', 'cv2', 'sff_ros')
NOT_IN_CORE = {  # of the standard library: threads, files and other processes
    *('asyncio', 'concurrent', 'multiprocessing', 'queue', 'subprocess', 'threading'),
    *('glob', 'importlib', 'io', 'os', 'pathlib', 'shutil', 'socket', 'tempfile'),
}
FILE_CALLS = {
    *('open', 'imread', 'imwrite', 'imreadmulti', 'VideoCapture', 'FileStorage'),
    *('load', 'save', 'savez', 'savez_compressed', 'loadtxt', 'savetxt', 'fromfile', 'tofile'),
}


def imported_modules(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of every import, wherever in the file it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, f'{"." * node.level}{node.module or ""}.{alias.name}'


def imports_of(tree: ast.AST, modules: Collection[str]) -> set[str]:
    """Return the modules of the package that a file imports, also late and by name.

    A string that is the name of a module counts as an import: it is what import_module is given,
    directly or from a table.

    Args:
        tree: of the file.
        modules: dotted names of all modules of the package.
    """
    named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    # `from a import b` imports a, and a.b where that is a module.
    dotted = {name for _, module in imported_modules(tree) for name in (module, _parent(module))}
    names = dotted | (named - {'sff_ros'})  # the package's own name is used for more than imports
    return {name for name in names if isinstance(name, str) and name in modules}


def import_cycle(sources: Mapping[str, str]) -> list[str]:
    """Return modules of which each imports the next and the last the first; empty: none.

    Args:
        sources: text of each file of sff_ros, e.g. 'core/sweep/stack.py'.
    """
    trees = {_module_of(file): ast.parse(text) for file, text in sources.items()}
    graph = {name: imports_of(tree, trees.keys()) - {name} for name, tree in trees.items()}
    # Leaves are taken off until none is left: then every module that remains imports another.
    while leaves := {name for name, imports in graph.items() if not imports}:
        graph = {name: imports - leaves for name, imports in graph.items() if name not in leaves}
    path: list[str] = [min(graph)] if graph else []
    while path and path[-1] not in path[:-1]:
        path.append(min(graph[path[-1]]))
    return path[path.index(path[-1]) + 1 :] if path else []


def _module_of(file: str) -> str:
    """Return 'sff_ros.core.sweep' of 'core/sweep/__init__.py'."""
    parts = ('sff_ros', *file.removesuffix('.py').split('/'))
    return '.'.join(part for part in parts if part != '__init__')


def _parent(module: str) -> str:
    return module.rpartition('.')[0]


def room_of(path: str) -> str:
    """Return the room of 'core/sweep/stack.py', or of a module 'core/sweep/stack'."""
    parts = path.removesuffix('.py').split('/')
    return next((room for n in (2, 1) if (room := '/'.join(parts[:n])) in ROOMS), parts[0])


# What runs in the process of a node, where threads of others may multiply at the same time.
# Calibration is a command of its own, and what it computes is checked against the residuals.
NO_BLAS = ('core/*', 'files/*', 'cameras/*', 'inference/*', 'nodes/*', '*pipeline.py')
HAS_BLAS = 'core/calibration/*'
BLAS_CALLS = {
    *('matmul', 'dot', 'vdot', 'inner', 'tensordot', 'correlate', 'convolve', 'cov', 'corrcoef'),
    *('inv', 'pinv', 'solve_triangular', 'lstsq', 'svd', 'eig', 'eigh', 'det', 'cond', 'polyfit'),
    *(
        'matrix_rank',
        'qr',
        'cholesky',
        'multi_dot',
        'matrix_power',
        'gemm',
        'SVDecomp',
        'PCACompute',
    ),
}


def is_listed(pairs: Sequence[tuple[str, str]], file: str, module: str) -> bool:
    """Return whether a pair of file pattern and module matches an import."""
    return any(fnmatch(file, who) and f'{module}.'.startswith(f'{what}.') for who, what in pairs)


def import_breaches(file: str, tree: ast.AST) -> Iterator[str]:
    """Yield what a file of sff_ros, e.g. 'core/sweep/stack.py', imports and must not."""
    room = room_of(file)
    for line, module in imported_modules(tree):
        package, _, rest = module.partition('.')
        target = room_of(rest.replace('.', '/'))
        if package == '':
            yield f'{file}:{line}: relative import {module}'
        elif is_listed(EXCEPTIONS, file, module):
            continue
        elif is_listed(NEVER, file, module):
            yield f'{file}:{line}: {room} must not import {target or package}: {module}'
        elif package == 'sff_ros' and target in ROOMS and target not in (room, *ROOMS[room]):
            yield f'{file}:{line}: {room} must not import {target}'
        elif package == 'sff_ros' and target not in ROOMS and not target.startswith('__'):
            yield f'{file}:{line}: {module} is in no known room'
        if room.split('/')[0] == 'core' and package not in ('', *CORE_PACKAGES):
            if package in NOT_IN_CORE or package not in sys.stdlib_module_names:
                yield f'{file}:{line}: core must not import {package}'


def package_breaches(file: str, tree: ast.AST) -> Iterator[str]:
    """Yield the third-party packages that a file imports outside their homes."""
    for line, module in imported_modules(tree):
        package = module.split('.')[0]
        for pattern, homes in PACKAGES.items():
            if fnmatch(package, pattern) and not any(fnmatch(file, home) for home in homes):
                yield f'{file}:{line}: {package} only in {", ".join(homes)}'


def call_breaches(file: str, tree: ast.AST) -> Iterator[str]:
    """Yield calls at the wrong place: of print, of what opens a file, of what starts rclpy."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, 'id', None) or getattr(node.func, 'attr', '')
        if name == 'print' and not file.startswith('cli/'):
            yield f'{file}:{node.lineno}: print only in cli'
        if name in FILE_CALLS and file.startswith('core/'):
            yield f'{file}:{node.lineno}: core must not call {name}'
        if name == 'init' and file != 'middleware/start.py':
            yield f'{file}:{node.lineno}: rclpy starts in middleware/start.py only'


def blas_breaches(file: str, tree: ast.AST) -> Iterator[str]:
    """Yield products that NumPy hands to BLAS, where they become depth (core/homography.py)."""
    if not any(fnmatch(file, pattern) for pattern in NO_BLAS) or fnmatch(file, HAS_BLAS):
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.MatMult):
            yield f'{file}:{node.lineno}: `@` may call BLAS'
        elif isinstance(node, ast.Attribute) and node.attr in BLAS_CALLS:
            yield f'{file}:{node.lineno}: {node.attr} may call BLAS'
        elif isinstance(node, ast.keyword) and node.arg == 'optimize':
            yield f'{file}:{node.lineno}: einsum with optimize may call BLAS'


def length_breaches(file: str, source: str, tree: ast.AST) -> Iterator[str]:
    """Yield files and functions that are too long."""
    if len(source.splitlines()) > MAX_FILE_LINES:
        yield f'{file}: over {MAX_FILE_LINES} lines'
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES:
                yield f'{file}:{node.lineno}: {node.name} is over {MAX_FUNCTION_LINES} lines'


def breaches(file: str, source: str) -> list[str]:
    """Return every breach of the house rules in a file of sff_ros, with its line."""
    tree = ast.parse(source)
    found = [*import_breaches(file, tree), *package_breaches(file, tree)]
    found += [*call_breaches(file, tree), *blas_breaches(file, tree)]
    found += [*file_breaches(file, tree), *home_breaches(file, tree)]
    found += [*quote_breaches(file, tree), *length_breaches(file, source, tree)]
    if file.split('/')[-1] in ('utils.py', 'util.py', 'helpers.py', 'common.py'):
        found.append(f'{file}: name a file after its one idea')
    return found
