"""What outlives a process: the organisation, logins, and what has happened (SQLAlchemy Core)."""

from .access import History, NotAllowedError, NotThereError
from .database import StoreError
from .fields import BadEditError
from .logins import Login
from .papers import ConflictError, Papers
from .store import Accounts, Store
from .told import CallClass, Cursor, Recording, Sound, cursor

__all__ = [
    "Accounts",
    "BadEditError",
    "CallClass",
    "ConflictError",
    "Cursor",
    "History",
    "Login",
    "NotAllowedError",
    "NotThereError",
    "Papers",
    "Recording",
    "Sound",
    "Store",
    "StoreError",
    "cursor",
]
