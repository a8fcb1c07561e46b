"""HTTP conventions that all routes share. Knows no stream and no store."""
