"""Every question and every change that a hotel asks of its database, by subject."""
