"""Bytes to PCM frames and back. Pure; imports nothing else of ours."""
