"""The command line: `main` and one file for each group of commands.

A command imports what it needs when it runs, so that `--help` is quick and a server carries no
migration tools.
"""
