"""What outlives a process: the organisation and logins (SQLAlchemy Core)."""

from .database import StoreError
from .logins import Login
from .store import Accounts, Store

__all__ = ["Accounts", "Login", "Store", "StoreError"]
