"""A cache of query results that is fresh or absent. It knows nothing of what it keeps."""
