"""HTTP: routes, authentication, rate limits, errors and the OpenAPI document."""
