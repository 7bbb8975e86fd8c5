"""Other switches under the same loads as ours, for `cordboard bench peer`."""
