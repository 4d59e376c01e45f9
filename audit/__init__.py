"""Audit the installed packages: licences, known vulnerabilities, and the bill of materials."""
