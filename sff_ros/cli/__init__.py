"""The `sff` command line: one file a verb."""
