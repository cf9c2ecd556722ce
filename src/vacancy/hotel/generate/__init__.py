"""Makes a synthetic hotel group with the shape of real ones, of any size, the same for a seed."""
