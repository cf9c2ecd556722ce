"""What each statement and each helper promises, and the guard that holds them to it.

Knows neither: the wiring of an application introduces its statements and helpers.
"""
