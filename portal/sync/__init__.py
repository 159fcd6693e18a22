"""2 SYNC: brings Autotask's customers, contacts, invoices, lines and PDFs in, page by page."""
