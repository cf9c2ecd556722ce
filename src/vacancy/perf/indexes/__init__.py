"""Advice on indexes, with a proof attached."""
