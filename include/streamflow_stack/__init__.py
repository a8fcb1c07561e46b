"""The embedded deployment, and the commands: Redis, Airflow and the lab as processes of one owner."""
