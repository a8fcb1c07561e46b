"""What the DAGs' tasks do: the domain's steps, joined to Airflow and the limiter."""
