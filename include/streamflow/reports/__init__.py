"""Reports about runs and libraries."""
