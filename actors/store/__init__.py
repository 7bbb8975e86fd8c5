"""What outlives a process: the organisation, logins, and what has happened (SQLAlchemy Core)."""

from .access import History, NotAllowedError, NotThereError
from .database import StoreError
from .logins import Login
from .store import Accounts, Store
from .told import CallClass, Cursor, Recording, Sound, cursor

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
