"""The seven-joint pusher that PETS was published on."""
