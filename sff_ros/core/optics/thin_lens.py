"""The blur of a thin lens, and the resulting depth error."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ThinLens:
    """A thin lens in front of a sensor; distances are from the lens along its axis.

    Attributes:
        focal_m: focal length, m.
        fnumber: focal length over the diameter of the aperture.
        pitch_m: side of a pixel, m.
    """

    focal_m: float
    fnumber: float
    pitch_m: float

    def image_distance_px(self, focus_dpt: float) -> float:
        """Return lens to sensor when focused at focus_dpt, px: fx of the pinhole model.

        From 1/f = 1/d + 1/v (Gauss): v = f / (1 - f / d).
        """
        return self.focal_m / (1.0 - self.focal_m * focus_dpt) / self.pitch_m

    def blur_diameter_px(self, object_dpt: float, focus_dpt: float) -> float:
        """Return the diameter of the blur disc of a point, px.

        The cone behind an aperture D that meets at v_u is cut at v_d by a disc of
        D |v_d - v_u| / v_u. With 1/v = 1/f - 1/u this is D v_d |1/u - 1/d|: exact, and linear
        in the dioptres of the object (Potmesil and Chakravarty 1981, in dioptres).
        """
        aperture_m = self.focal_m / self.fnumber
        return aperture_m * self.image_distance_px(focus_dpt) * abs(object_dpt - focus_dpt)

    def error_m(self, distance_m: float, error_px: float) -> float:
        """Return the depth error, m, for an error of the sharpest focus.

        A dioptre is blur_diameter_px(x + 1, x) pixels of blur, and dz = z^2 d(1/z): the aperture
        is the baseline of shape from focus.

        Args:
            distance_m: of the surface, m.
            error_px: error of the sharpest focus, as the resulting blur diameter, px.
        """
        dioptres = 1 / distance_m
        return distance_m**2 * error_px / self.blur_diameter_px(dioptres + 1, dioptres)
