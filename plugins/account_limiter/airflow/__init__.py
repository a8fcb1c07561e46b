"""Airflow's side of the limiter: operator, trigger and connection."""
