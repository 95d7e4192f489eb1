"""Picture files <-> pixels, alpha and metadata."""
