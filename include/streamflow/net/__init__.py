"""Rules for every connection to a host that a provider or a playlist names: which addresses it may reach."""
