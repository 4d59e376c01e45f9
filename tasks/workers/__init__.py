"""Where trainings run: processes of this machine, Dask clusters, Prefect work pools."""
