# Machine-made, not yet read by a native speaker.
