"""The embedded stack: Redis, Airflow and the lab as processes of one owner, which end with it."""
