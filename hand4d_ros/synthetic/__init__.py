"""Seeds in, worlds out: moving hands, cameras, odometry, pictures, a detector's view of them."""
