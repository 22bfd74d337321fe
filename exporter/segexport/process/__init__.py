"""Child processes: started, watched, and ended."""
