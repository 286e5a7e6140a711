"""Build of the ament_python package; see package.xml for what it needs."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = 'sff_ros'
SHARED = ('launch', 'config', 'models')


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
    version='0.1.0',
    packages=find_packages(include=[NAME, f'{NAME}.*']),
    data_files=data_files(),
    python_requires='>=3.10',
    install_requires=['setuptools'],
    extras_require={'test': ['pytest']},
    zip_safe=True,
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
