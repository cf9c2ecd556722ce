"""Statements that ran: what they cost, how the database runs them, and what to change."""
