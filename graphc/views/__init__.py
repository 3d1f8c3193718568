"""What can be looked at of a compilation: costs, schedules, the reference of operations."""
