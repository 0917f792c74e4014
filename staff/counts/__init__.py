"""The console's figures: counted in SQL, synchronous, each function one query or as many as it says."""
