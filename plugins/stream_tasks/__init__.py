"""The tasks of the DAGs: each opens its resources, calls the domain, and reports to Airflow."""
