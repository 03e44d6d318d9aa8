"""The baseline: a damped least-squares fit of the hand model to the keypoints of one frame."""
