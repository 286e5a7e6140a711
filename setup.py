"""Build by colcon, as an ament_python package (package.xml says what it needs), or by pip."""

import sys
from pathlib import Path

from setuptools import find_packages, setup

NAME = 'sff_ros'
SHARED = ('launch', 'config', 'models')

# Where ROS is, apt brings what the package needs, as package.xml says, and OpenCV of apt has no
# metadata that importlib.metadata or pkg_resources would find. The scripts that `ros2 run` starts
# name this distribution in __requires__, so with OpenCV among its dependencies whatever imports
# pkg_resources would end them with DistributionNotFound. pip comes through the PEP 517 hooks and
# installs what is missing; colcon runs this file itself, and then only these two count.
FROM_APT = ('numpy', 'pyyaml')
BUILT_BY_PIP = 'setuptools.build_meta' in sys.modules


def requirements(name: str) -> list[str]:
    """List the lines of requirements/NAME.txt that name a distribution."""
    # colcon build --symlink-install runs a link to this file, from a folder of its own.
    folder = Path(__file__).resolve().parent / 'requirements'
    lines = (folder / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [line.strip() for line in lines if line.strip() and line[0] not in '#-']


def dependencies() -> list[str]:
    """List what must be installed beside the package, see FROM_APT."""
    needed = requirements('package')
    return [line for line in needed if BUILT_BY_PIP or line.startswith(FROM_APT)]


def data_files() -> list[tuple[str, list[str]]]:
    """List what goes to share/: (folder below the install prefix, files) pairs."""
    pairs = [
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
    ]
    for top in SHARED:
        for folder in sorted({file.parent for file in Path(top).rglob('*') if file.is_file()}):
            if folder.name != '__pycache__':
                files = sorted(str(file) for file in folder.iterdir() if file.is_file())
                pairs.append((f'share/{NAME}/{folder}', files))
    return pairs


setup(
    name=NAME,
    version='0.2.0',
    packages=find_packages(include=[NAME, f'{NAME}.*']),
    package_data={NAME: ['py.typed', 'middleware/*.xml']},
    data_files=data_files(),
    python_requires='>=3.10',
    install_requires=dependencies(),
    extras_require={
        'ros': requirements('ros'),
        'tensorrt': ['tensorrt>=10.3', 'cuda-python>=12'],
        'test': requirements('test'),
        'traced': requirements('traced'),
        'train': [*requirements('train'), 'torch>=2.2'],
    },
    zip_safe=False,
    maintainer='sff_ros maintainers',
    maintainer_email='sff-ros@users.noreply.github.com',
    description='Depth by shape from focus: a lens sweeps, a stack of pictures becomes metres.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'capture_node = sff_ros.nodes.capture_node:main',
            'inference_node = sff_ros.nodes.inference_node:main',
            'depth_node = sff_ros.nodes.depth_node:main',
            'all_in_one = sff_ros.nodes.all_in_one:main',
            'sff = sff_ros.cli.main:main',
        ],
    },
)
