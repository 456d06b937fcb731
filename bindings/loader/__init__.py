"""Worker Loader: workers whose code another worker has when it runs."""
