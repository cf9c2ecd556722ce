"""The one path that changes inventory: lock once, decide in memory, write once.

`requests` says what can be asked, `decide` is the pure judgement, `changes` collects what follows
from it, `load` and `write` are its two sides to the database, `batches` runs it for many callers.
"""
