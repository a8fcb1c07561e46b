"""Data and rules of the limiter, without Redis and without Airflow."""
