"""Seeds in, worlds out: hands that move, things, cameras, odometry, pictures and the truth."""
