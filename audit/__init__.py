"""What is installed and shipped: its licences, and its known vulnerabilities."""
