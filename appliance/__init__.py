"""The control plane of zstui: API, store, reconcile, hosts and faces."""
