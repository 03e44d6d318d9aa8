"""Hand motion in, a latent and its density out: priors over 128 frames behind one interface."""
