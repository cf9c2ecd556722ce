"""Every step that the schema took, up and down."""
