"""Airflow's side of the limiter: operator, trigger, hub of the waiters, and connection."""
