"""An invoice on paper: what stands on it, and the PDF, HTML and XML that show it."""
