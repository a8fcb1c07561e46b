"""Reports on runs and libraries."""
