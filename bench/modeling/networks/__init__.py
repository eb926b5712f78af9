"""Networks that are no models of transformers (a user's own, torchvision's) under its face, so that nothing else need
know the difference."""
