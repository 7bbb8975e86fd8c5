"""Messages to websocket and HTTP and back. No business rule lives here."""
