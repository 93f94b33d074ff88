"""The only room that knows names: tasks, controllers, methods, and what a run is made of."""
