"""Analytics, counted twice: by the program, and by hand or by plain Python in the test."""
