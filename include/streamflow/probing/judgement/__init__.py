"""From measurements and refusals to a verdict with its reason."""
