"""The disk: whole files, the lock of a folder, tables, checkpoints, event files, buckets."""
