"""The one table of parameters: schema, YAML files, documentation pages."""
