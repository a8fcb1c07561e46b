"""Read-only queries over the UDI, Airflow and the limiter, in the shape that the routes return."""
