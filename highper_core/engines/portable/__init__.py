"""The engine without compiled code: h11 reads, behind the strict gate; the shared writer writes."""
