"""TypeScript workers under a real `groundfog dev`, in the real workerd."""
