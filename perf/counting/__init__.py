"""Instruction counts of small pieces of work, taken by callgrind: the same figure each time, on a noisy machine too."""
