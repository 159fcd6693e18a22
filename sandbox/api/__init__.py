"""The calls of Autotask's REST API: what is asked, what is refused, what is answered."""
