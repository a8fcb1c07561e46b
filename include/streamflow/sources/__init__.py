"""Where libraries come from and verdicts go to, a package or module each."""
