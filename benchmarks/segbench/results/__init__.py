"""Results as files, one format each."""
