"""Mails are rows first: written with what they tell of, sent by whoever finds them due."""
