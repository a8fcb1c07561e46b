"""StreamFlow's domain: what a stream check is, free of Airflow and of the web."""
