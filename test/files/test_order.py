from __future__ import annotations

import random
from pathlib import Path

import pytest
from stack_files import encode, make_folder, texture

from sff_ros.errors import StackError
from sff_ros.files.order import in_order, stem, twins, unclear_order
from sff_ros.files.stack import read_stack

# In the right order, | between two; whether `sff depth` prints it.
ORDERS = {
    'counted': ('slice_2.png|slice_9.png|slice_10.png|slice_100.png', False),
    'padded': ('slice_000.jpg|slice_001.jpg|slice_010.jpg', False),
    'dashes': ('scan-1.png|scan-2.png|scan-10.png', False),
    'dates': ('2024-01-02T10-20-30.png|2024-01-02T10-20-31.png|2024-02-01T09-00-00.png', False),
    'stamps': ('1305031102.160407.png|1305031102.194330.png|1305031103.000000.png', False),
    'series of frames': ('shot1.0001.tif|shot1.0002.tif|shot1.0010.tif', False),
    'ome': ('z_8.ome.tif|z_9.ome.tif|z_10.ome.tif', False),
    'negative': ('z_-50.jpg|z_-10.jpg|z_-5.jpg|z_0.jpg|z_5.jpg|z_10.jpg', True),
    'all negative': ('z_-30.png|z_-20.png|z_-3.png', True),
    'at the start': ('-10.png|-9.png|0.png|1.png', True),
    'plus': ('z-10.png|z-5.png|z+0.png|z+5.png|z+10.png', True),
    'minus after a letter': ('z-10.png|z-9.png|z0.png|z10.png', True),
    'dash, then minus': ('z--10.png|z--9.png|z-0.png|z-5.png', True),
    'minus sign': ('z_\N{MINUS SIGN}10.png|z_\N{MINUS SIGN}9.png|z_0.png', True),
    'decimal': ('0.25.png|0.5.png|0.75.png|1.0.png|1.125.png|10.png', True),
    'negative decimal': ('z_-0.5.tif|z_-0.25.tif|z_0.tif|z_0.125.tif', True),
    'no zero before the point': ('z_-.5.png|z_.25.png|z_.5.png|z_1.png|z_1.25.png', True),
    'a point before the number': ('slice.2.png|slice.9.png|slice.10.png|slice.100.png', False),
    'en dash': ('z_\N{EN DASH}10.png|z_\N{EN DASH}9.png|z_0.png', True),
    'padded and signed': ('z-0010.png|z-0005.png|z+0000.png|z+0005.png', True),
    'signed exponent': ('z_-2e-3.png|z_-1e-3.png|z_0.png|z_5e-4.png', True),
    'dioptres': ('-1.5D.png|0D.png|0.25D.png|2D.png|10D.png', True),
    'stage and index': ('i1_z-1.5um.png|i2_z-1um.png|i3_z0um.png|i10_z3.5um.png', True),
    'comma': ('z0,25.png|z0,5.png|z1,0.png', True),
    'exponent': ('f5e-4.png|f1e-3.png|f1.5E-3.png|f1e0.png|f2e+01.png', True),
    'huge exponent': ('f1e-999.png|f1.png|f1e999.png', True),
    'unit': ('9um.png|10um.png|100um.png', False),
    'unit after decimals': ('9.5mm.png|10mm.png|10.5mm.png', True),
    'units': ('z900nm.png|z10um.png|z0.5mm.png|z1mm.png|z1.5 cm.png', True),
    'micro': ('z900\N{MICRO SIGN}m.png|z950\N{GREEK SMALL LETTER MU}m.png|z1mm.png', True),
    'milliamperes': ('-100mA.png|-20mA.png|0mA.png|90mA.png|1A.png', True),
    'infinity': ('0.5m.png|2m.png|inf.png', True),
    'versions': ('v1.1.png|v1.2.png|v1.9.png|v1.10.png|v1.11.png', False),
    'negative versions': ('z_-2.1.png|z_-1.1.png|z_-1.2.png|z_-1.10.png|z_0.1.png', True),
    'both zeros': ('z_-10.png|z_-5.png|z_-0.png|z_0.png|z_5.png|z_10.png', True),
    'three groups': ('1.2.9.png|1.2.10.png|1.10.1.png', True),
    'first without number': ('scan.jpg|scan2.jpg|scan3.jpg|scan12.jpg', True),
    'copies': ('scan.jpg|scan (1).jpg|scan (2).jpg|scan (10).jpg', True),
    'suffixes': ('a.tif|a b.jpg|ab.jpg|ab 2.png', True),
    'suffixes mixed': ('s1.png|s2.jpg|s3.PNG|s10.bmp', False),
    'words': ('far.png|mid.png|near.png', True),
    'two sweeps': ('t1_z2.png|t1_z10.png|t2_z2.png|t2_z10.png', True),
    'case': ('9.png|10.png|S1.png|s2.png|s2a.jpeg|s02b.png|s10.PNG', True),
}  # fmt: skip


@pytest.mark.parametrize('name', ORDERS)
def test_names_are_ordered_by_their_numbers(name: str) -> None:
    names = ORDERS[name][0].split('|')
    for seed in range(5):
        shuffled = random.Random(seed).sample(names, len(names))
        assert in_order(shuffled) == names


@pytest.mark.parametrize('name', ORDERS)
def test_an_order_is_shown_where_it_is_not_obvious(name: str) -> None:
    names, shown = ORDERS[name][0].split('|'), ORDERS[name][1]
    assert unclear_order(names) == (', '.join(names) if shown else '')


def test_a_long_order_is_shown_by_its_ends() -> None:
    names = [f'z_{i}.png' for i in range(-50, 51)]
    shown = unclear_order(in_order(names))
    assert shown.startswith('z_-50.png, z_-49.png, ')
    assert shown.endswith(', z_49.png, z_50.png')
    assert ', ... z_39.png, ' in shown
    assert 'z_0.png' not in shown


def test_twins_differ_in_suffix_or_case_only() -> None:
    names = ['b.png', 's1.jpg', 's1.png', 'S1.tif', 's2.ome.tif', 's2.tif', 's01.png']
    assert twins(names) == [['S1.tif', 's1.jpg', 's1.png'], ['s2.ome.tif', 's2.tif']]
    assert (stem('a.b.OME.tiff'), stem('a.b.png')) == ('a.b', 'a.b')


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    make_folder(tmp_path)
    for i in (2, 3):
        (tmp_path / f'slice_{i}.jpg').write_bytes(encode(texture(i), '.jpg'))
    message = r'slice_2\.jpg and slice_2\.png are one slice twice, and 1 more likewise: keep one'
    with pytest.raises(StackError, match=message):
        read_stack(tmp_path)
