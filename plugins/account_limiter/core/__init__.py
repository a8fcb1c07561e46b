"""The limiter's data and rules, without Redis and without Airflow."""
