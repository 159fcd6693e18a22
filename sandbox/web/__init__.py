"""The page for people: play the Autotask side, and watch what is asked."""
