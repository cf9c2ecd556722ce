"""The only layer that knows hotels. Begin with `model.py`."""
