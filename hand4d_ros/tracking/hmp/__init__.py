"""One hand over a clip in, the same fitted to all of its keypoints with its gaps filled out."""
