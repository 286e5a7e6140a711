"""All file formats that are read or written."""
