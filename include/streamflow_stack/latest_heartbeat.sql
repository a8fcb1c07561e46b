-- Return the time of the last heartbeat of a part of Airflow on a host; null if it never sent one or has ended.
SELECT max(latest_heartbeat) FROM job WHERE job_type = %(type)s AND hostname = %(host)s AND state = 'running'
