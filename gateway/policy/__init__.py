"""Policy: the officers' repository made ready: the bundle, the catalogue, and two Rego engines."""
