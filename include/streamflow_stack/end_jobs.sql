-- Mark every part of Airflow that is recorded as running as failed and ended.
UPDATE job SET state = 'failed', end_date = coalesce(end_date, latest_heartbeat) WHERE state = 'running'
