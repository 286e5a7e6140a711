"""Light that the first surface of a ray scatters, mirrors or emits, apart, by Mitsuba."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from sff_ros.core.image import FloatMap
from sff_ros.training.traced.mitsuba_import import mitsuba

BRIGHTEST = 40.0  # limit of the light of a ray
INDIRECT = 10.0  # the same after two surfaces: tames the rarest paths
PATH = {'type': 'path', 'max_depth': 7, 'rr_depth': 4, 'hide_emitters': True}


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """The first surfaces that rays meet.

    Attributes:
        rays: from the camera.
        surface: what they meet, of Mitsuba.
        bsdf: its material.
        found: whether there is one.
    """

    rays: Any
    surface: Any
    bsdf: Any
    found: Any


def stratified(each: int, seed: int, count: int) -> Any:
    """Return the random numbers of so many rays, spread evenly over `each` consecutive ones."""
    import drjit

    sampler = _sampler(each)
    # Opaque: as a literal, each seed would be a program of its own to compile.
    sampler.seed(drjit.opaque(mitsuba().UInt32, seed), count)
    return sampler


@lru_cache(maxsize=4)
def _sampler(each: int) -> Any:
    sampler = mitsuba().load_dict({'type': 'multijitter', 'sample_count': each})
    sampler.set_samples_per_wavefront(each)
    return sampler


def ready(sampler: Any, rays: Any) -> tuple[Any, Any]:
    """Compute rays now: what they meet is then the same program for all cameras."""
    import drjit

    sampler.schedule_state()
    drjit.eval(rays)
    return sampler, rays


def first_hits(scene: Any, rays: Any) -> Hits:
    """Intersect rays with a scene."""
    surface = scene.ray_intersect(rays)
    return Hits(rays, surface, surface.bsdf(rays), surface.is_valid())


def colour(hits: Hits) -> Any:
    """Return the diffuse reflectance, as seen from the ray."""
    import drjit

    si, mi = hits.surface, mitsuba()
    towards = mi.Vector3f(0, 0, drjit.select(si.wi.z > 0, 1, -1))
    context = mi.BSDFContext(mi.TransportMode.Radiance, int(mi.BSDFFlags.Diffuse))
    return hits.bsdf.eval(context, si, towards, hits.found) * math.pi


def emitted(scene: Any, hits: Hits) -> Any:
    """Return the light of lamps."""
    return hits.surface.emitter(scene).eval(hits.surface, hits.found)


def scattered(scene: Any, sampler: Any, hits: Hits) -> Any:
    """Return light that the diffuse part of the material sends on."""
    return _lobe(scene, sampler, hits, int(mitsuba().BSDFFlags.Diffuse))


def mirrored(scene: Any, sampler: Any, hits: Hits) -> Any:
    """Return light that the rest of the material mirrors or lets through."""
    flags = mitsuba().BSDFFlags
    return _lobe(scene, sampler, hits, int(flags.Glossy) | int(flags.Delta))


@lru_cache(maxsize=1)
def _integrator() -> Any:
    return mitsuba().load_dict(PATH)


def _lobe(scene: Any, sampler: Any, hits: Hits, kinds: int) -> Any:
    """Return one sample of the light that leaves by lobes of these kinds.

    Emitters are sampled and met by chance, weighted by the balance heuristic (Veach 1995).
    """
    import drjit

    mi, si, bsdf = mitsuba(), hits.surface, hits.bsdf
    context = mi.BSDFContext(mi.TransportMode.Radiance, kinds)
    active = hits.found & ((bsdf.flags() & kinds) != 0)
    to_light, light = scene.sample_emitter_direction(si, sampler.next_2d(), True, active)
    wo = si.to_local(to_light.d)
    pdf = bsdf.pdf(context, si, wo, active)
    share = drjit.select(to_light.delta, 1, _balance(to_light.pdf, pdf))
    direct = light * bsdf.eval(context, si, wo, active) * share
    chosen, weight = bsdf.sample(context, si, sampler.next_1d(), sampler.next_2d(), active)
    ray = si.spawn_ray(si.to_world(chosen.wo))
    beyond = scene.ray_intersect(ray, active)
    back = mi.DirectionSample3f(scene, beyond, si)
    smooth = mi.has_flag(chosen.sampled_type, mi.BSDFFlags.Delta)
    rival = drjit.select(smooth, 0, scene.pdf_emitter_direction(si, back, active))
    met = beyond.emitter(scene).eval(beyond, active) * _balance(chosen.pdf, rival)
    path = _integrator()
    around, _, _ = path.sample(scene, sampler, mi.RayDifferential3f(ray), None, active)
    around = drjit.minimum(around, INDIRECT)
    return drjit.select(active, direct + weight * (met + around), 0)


def _balance(pdf: Any, other: Any) -> Any:
    """Return the weight of a sample; 0, not 0 / 0, for what cannot be sampled."""
    import drjit

    return drjit.select(pdf > 0, pdf / (pdf + other), 0)


def arrays(*values: Any) -> list[FloatMap]:
    """Return (N, 3) finite light, or other vectors, computed together."""
    import drjit

    drjit.eval(*values)
    return [np.nan_to_num(np.array(v, np.float32).T) for v in values]


def limited(light: FloatMap) -> FloatMap:
    """Return light of rays without the rarest extremes."""
    return np.minimum(light, BRIGHTEST)
