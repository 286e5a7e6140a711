"""Images, plots and tables that the commands write."""
