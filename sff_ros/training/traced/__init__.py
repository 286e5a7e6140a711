"""Scenes path-traced through a thin lens by Mitsuba 3, rendered in advance to a folder."""
