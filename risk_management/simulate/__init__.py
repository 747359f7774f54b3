"""The whole system under a day of faults, in one process and one thread, all of it from one seed."""
