"""The parts that Airflow itself loads: the plugin, the note of a run, the link of a task."""
