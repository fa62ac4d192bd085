"""One person, reversibly: profiles, the identities that find them, merges that can be undone, history, erasure."""
