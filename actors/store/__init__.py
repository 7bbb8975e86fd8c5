"""What outlives a process: the organisation, logins, and what has happened (SQLAlchemy Core)."""

from .access import History, NotAllowedError, NotThereError
from .database import StoreError
from .history import CallClass, Cursor, Recording, Sound, cursor
from .logins import Login
from .store import Accounts, Store

__all__ = [
    "Accounts",
    "CallClass",
    "Cursor",
    "History",
    "Login",
    "NotAllowedError",
    "NotThereError",
    "Recording",
    "Sound",
    "Store",
    "StoreError",
    "cursor",
]
