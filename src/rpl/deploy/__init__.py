"""A learned policy outside its run: observation to action in the robot's units."""
