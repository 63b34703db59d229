"""Work that tasks and requests share: files made anew, and speaking to those who get them."""
