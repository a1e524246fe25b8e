"""The wire contract: unified records, filters, functions and errors. Pure data; imports no other room."""
