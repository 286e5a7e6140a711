"""From dioptres to metres and points."""
