-- When a part of Airflow on this host last gave a sign of life; null when it never did or has ended.
SELECT max(latest_heartbeat) FROM job WHERE job_type = :type AND hostname = :host AND state = 'running'
