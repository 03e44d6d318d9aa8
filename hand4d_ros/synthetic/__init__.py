"""Seeds in, worlds out: hands that move, cameras, odometry, pictures, what a detector sees."""
