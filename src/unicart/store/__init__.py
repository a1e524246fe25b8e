"""Tables, migrations, keyset queries and the upsert transaction, on SQLite and PostgreSQL. The only room with SQL."""
