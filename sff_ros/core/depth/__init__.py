"""Convert dioptres to metres and points."""
