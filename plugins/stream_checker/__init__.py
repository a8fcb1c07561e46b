"""The HTTP API over the UDI and the limiter, and the page in the Airflow UI."""
