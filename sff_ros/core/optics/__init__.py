"""What a lens does to an image: focus, breathing, field curvature, blur."""
