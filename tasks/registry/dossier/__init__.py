"""The dossier of a registered version: one page that answers for it, from what its run recorded."""
