"""Whether the portal does what it promises: one list of checks for probes, the doctor, alarms and the staff's page."""
