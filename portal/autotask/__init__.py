"""1 CONNECT: Autotask's REST API in our words. Knows neither Flask nor the database."""
