"""The benches: both sides measured in one run, with the figures of the machine beside them."""
