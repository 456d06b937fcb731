"""SQL of workers under the rules of workerd's SQLite, which D1 and Durable Objects share."""
