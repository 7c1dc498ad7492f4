"""The services of the example; each module is one, but for http_service, which they stand on."""
