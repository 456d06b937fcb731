"""Images: pictures that are looked at, resized, turned, drawn onto each other and converted."""
