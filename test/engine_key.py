"""An engine key for tests of the cache and of its command."""

from __future__ import annotations

from sff_ros.inference.tensorrt.engine_cache import EngineKey

KEY = EngineKey(
    graph_sha256='ab' * 32,
    library='tensorrt 10.3.0',
    gpu='Orin 8.7',
    driver='12.6',
    precision='fp16',
    shapes=(('context', (1, 3, 480, 640)), ('evidence', (1, 7, 240, 320))),
)
