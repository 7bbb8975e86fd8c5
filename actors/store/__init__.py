"""What outlives a process: the organisation and logins (SQLAlchemy Core)."""
