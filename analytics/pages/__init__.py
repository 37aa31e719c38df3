"""The pages at /analytics/ for members of staff: the API's questions and answers, to be looked at."""
