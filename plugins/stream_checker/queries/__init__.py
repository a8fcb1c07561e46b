"""Read-only queries over the UDI and Airflow, and their caches."""
