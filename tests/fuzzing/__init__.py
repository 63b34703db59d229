"""Hostile files for the codec processes: subjects.py, mutations.py, and trial.py, which judges."""
