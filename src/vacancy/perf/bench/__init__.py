"""Before and after, measured on the machine and the data of whoever asks."""
