"""Domain values as JSON documents and back: lossless, spelled out field by field, with a schema number each."""
