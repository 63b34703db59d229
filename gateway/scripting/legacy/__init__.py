"""Looking at legacy scripts without running them: what they use, and what of it would break here.

`reading` finds out what a file does, `rules` and `routes` judge it, `examination` puts a whole set
of files together.
"""
