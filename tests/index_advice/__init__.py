"""What `vacancy perf check-indexes` has to find, written down before the checks were."""
