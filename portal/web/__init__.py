"""4 LOOK AND OPERATE: the plumbing of pages and of the API's answers."""
