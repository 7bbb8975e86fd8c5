"""Load testers and measurements, each a command."""
