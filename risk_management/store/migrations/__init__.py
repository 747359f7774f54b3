"""Changes of the tables, one file each, in order; run by the store when it is opened."""
