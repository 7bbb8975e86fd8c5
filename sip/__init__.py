"""Sans-IO SIP: bytes in, events and bytes out. Imports nothing else of ours."""
