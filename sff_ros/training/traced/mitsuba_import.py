"""Mitsuba, an optional package, in the fastest variant that works here."""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType

from sff_ros.errors import ConfigError

VARIANTS = ('cuda_ad_rgb', 'llvm_ad_rgb')


@lru_cache(maxsize=1)
def mitsuba() -> ModuleType:
    """Return the module, ready to render.

    Raises:
        ConfigError: it is not installed, or has neither a GPU nor LLVM to compile with.
    """
    try:
        import mitsuba
    except ImportError as err:
        raise ConfigError(
            f'{err}; path-traced scenes need: pip install -r requirements/traced.txt'
        ) from err
    reasons = []
    for variant in VARIANTS:
        try:
            mitsuba.set_variant(variant)
            mitsuba.Float(1).numpy()  # the first use loads the compiler
        except Exception as err:
            reasons.append(f'{variant}: {err}')
        else:
            module: ModuleType = mitsuba
            return module
    raise ConfigError(
        'Mitsuba finds neither a CUDA GPU nor LLVM (Debian, Ubuntu: apt install libllvm19; 14 and '
        f'15 crash): {"; ".join(reasons)}'
    )
