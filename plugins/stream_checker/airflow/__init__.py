"""The parts that Airflow loads: the plugin, the note of a run and the link of a task."""
