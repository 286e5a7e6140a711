"""Images, plots and tables written by the commands."""
