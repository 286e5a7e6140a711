"""Metadata of model files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sff_ros.core.model_card import ModelCard, read_card
from sff_ros.errors import ModelError

CARD = ModelCard('fast_gru', 15, 2, 16, 'ab12', '1.2.3', 'fp16')


def test_a_card_survives_a_file() -> None:
    assert read_card(CARD.to_metadata(), 'fast_gru') == CARD


@pytest.mark.parametrize(
    ('metadata', 'message'),
    [
        ({}, 'is not a model of this package; expected fast_gru as written by `sff export`'),
        ({'name': 'fast_gru'}, 'is not a model of this package'),
        (replace(CARD, name='ddl').to_metadata(), "holds 'ddl', expected fast_gru"),
        ({'sff_ros': '9', 'name': 'fast_gru'}, "that this version cannot read: 'positions'"),
        ({**CARD.to_metadata(), 'pooling': 'two'}, "that this version cannot read: .*'two'"),
    ],
)
def test_other_metadata_are_refused(metadata: dict[str, str], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_card(metadata, 'fast_gru')
